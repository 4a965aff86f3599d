"""Effects are paired differences, their intervals cover the truth, and what is missing is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from math import fsum, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from maggy.ablation.components import Contrast, Design, Switch, Variant
from maggy.ablation.designs import LOCO, Ablator, AddOneIn, Cumulative, LeaveTwoOut
from maggy.ablation.effects import Effects
from maggy.errors import ConfigError

Metrics = dict[str, dict[int, float]]


def study(ablator: Ablator, *names: str) -> Design:
    return ablator.design([Switch(name=name, argument=name, off=0) for name in names])


def results(design: Design, train: Callable[[set[str], int], float], repeats: int = 3) -> Metrics:
    """What a training function returns, given what is left in."""
    every = {each.name for variant in design.variants for each in variant.without}
    return {
        variant.name: {
            repeat: train(every - {each.name for each in variant.without}, repeat) for repeat in range(repeats)
        }
        for variant in design.variants
    }


def loco(train: Callable[[set[str], int], float], *names: str, repeats: int = 3, **options) -> Effects:
    design = study(LOCO(), *names)
    return Effects(design, results(design, train, repeats), **options)


WORTH = {"leak": 0.25, "texture": 0.125, "noise": 0.0, "bug": -0.0625}


def additive(left: set[str], repeat: int) -> float:
    return 0.5 + repeat / 1024 + sum(WORTH[name] for name in left)


# --- what an effect is ------------------------------------------------------------------------


def test_what_hurts_most_to_leave_out_comes_first_and_what_hurts_by_being_there_last():
    effects = loco(additive, "noise", "bug", "leak", "texture")
    assert list(effects) == ["leak", "texture", "noise", "bug"]
    assert [effect.effect for effect in effects.values()] == [-0.25, -0.125, 0, 0.0625]
    assert [effect.importance for effect in effects.values()] == [0.25, 0.125, 0, -0.0625]
    assert [effect.verdict for effect in effects.values()] == [
        "worse without it", "worse without it", "no difference", "better without it",
    ]  # fmt: skip
    assert effects["leak"].formula == "without leak - base"


def test_where_lower_is_better_the_ranks_are_the_same_and_the_effects_keep_the_sign_of_the_metric():
    effects = loco(lambda left, repeat: -additive(left, repeat), "noise", "bug", "leak", direction="min")
    assert list(effects) == ["leak", "noise", "bug"]
    assert effects["leak"].effect == 0.25 and effects["leak"].importance == 0.25
    assert effects["bug"].effect == -0.0625 and effects["bug"].verdict == "better without it"


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_what_helps_most_when_added_comes_first(direction, sign):
    design = study(AddOneIn(), *WORTH)
    effects = Effects(design, results(design, lambda *at: sign * additive(*at)), direction=direction)
    assert list(effects) == ["leak", "texture", "noise", "bug"]
    assert effects["leak"].effect == sign * 0.25 and effects["leak"].importance == 0.25
    assert [effect.verdict for effect in effects.values()] == [
        "better with it", "better with it", "no difference", "worse with it",
    ]  # fmt: skip
    assert effects.reference is not None and effects.reference.name == "nothing"


def test_steps_stay_in_their_order_and_each_is_compared_with_the_one_before():
    design = study(Cumulative(), "noise", "leak", "bug")
    effects = Effects(design, results(design, additive))
    assert [(name, effect.effect) for name, effect in effects.items()] == [
        ("noise", 0),
        ("leak", -0.25),
        ("bug", 0.0625),
    ]
    assert effects["leak"].formula == "without noise and leak - without noise"
    assert "left out, in this order" in str(effects) and "minus that of the step before" in str(effects)


worths = st.dictionaries(st.sampled_from("abcde"), st.floats(-10, 10), min_size=2)


@given(worths, st.sampled_from([LOCO(), LeaveTwoOut(), AddOneIn(), Cumulative()]), st.floats(-10, 10))
def test_of_an_additive_function_every_design_finds_what_each_component_is_worth_and_no_interaction(
    worth, ablator, constant
):
    design = study(ablator, *worth)
    effects = Effects(design, results(design, lambda left, seed: constant + seed + sum(worth[name] for name in left)))
    for name, effect in effects.items():
        assert effect.pairs == 3
        assert effect.importance == pytest.approx(0 if " x " in name else worth[name], abs=1e-9)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50))
def test_an_interaction_is_the_factor_of_the_product(a, b, both):
    """f = a [a in] + b [b in] + both [a and b in]: leaving out a costs a + both, either b + both, both a + b + both."""
    design = study(LeaveTwoOut(), "a", "b", "c")

    def train(left: set[str], repeat: int) -> float:
        return a * ("a" in left) + b * ("b" in left) + both * ({"a", "b"} <= left) + repeat

    effects = Effects(design, results(design, train))
    assert effects["a"].effect == -a - both
    assert effects["a x b"].effect == both
    assert effects["a x c"].effect == effects["b x c"].effect == 0
    assert list(effects)[3] == "a x b" and effects["a x b"].kind == "interaction"


def test_components_that_stand_in_for_each_other_are_worse_together_and_those_that_need_each_other_better():
    design = study(LeaveTwoOut(), "a", "b")
    either = Effects(design, results(design, lambda left, _: 1.0 if left & {"a", "b"} else 0.0))
    assert either["a"].importance == 0
    assert either["a x b"].importance == 1 and either["a x b"].verdict == "worse than their sum"
    needed = Effects(design, results(design, lambda left, _: 1.0 if left == {"a", "b"} else 0.0))
    assert needed["a"].importance == 1
    assert needed["a x b"].importance == -1 and needed["a x b"].verdict == "better than their sum"


def test_interactions_follow_the_effects_the_largest_first_whatever_its_sign():
    design = study(LeaveTwoOut(), "a", "b", "c")

    def train(left: set[str], repeat: int) -> float:
        return 2.0 * ({"a", "c"} <= left) - 3.0 * ({"b", "c"} <= left) + 1.0 * ({"a", "b"} <= left)

    effects = Effects(design, results(design, train))
    assert list(effects) == ["a", "c", "b", "b x c", "a x c", "a x b"]
    assert [effect.effect for effect in effects.values()] == [-3, 1, 2, -3, 2, 1]


def test_what_floating_point_leaves_of_equal_sums_is_no_effect():
    design = study(LeaveTwoOut(), "a", "b")
    metrics = {"base": {0: 0.1 + 0.2}, "without a": {0: 0.2}, "without b": {0: 0.1}, "without a and b": {0: 0.0}}
    assert fsum([0.1 + 0.2, -0.2, -0.1]) != 0
    assert Effects(design, metrics)["a x b"].effect == 0


# --- pairs ------------------------------------------------------------------------------------

gappy = st.fixed_dictionaries(
    {name: st.dictionaries(st.integers(0, 5), st.floats(-5, 5)) for name in ("base", "without a", "without b")}
)


@given(gappy)
def test_only_repeats_that_have_a_result_of_both_count(metrics):
    effects = Effects(study(LOCO(), "a", "b"), metrics)
    for name in "ab":
        without, base = metrics[f"without {name}"], metrics["base"]
        paired = sorted(without.keys() & base.keys())
        assert effects[name].pairs == len(paired)
        assert effects[name].values == pytest.approx([without[repeat] - base[repeat] for repeat in paired], abs=1e-9)
        assert (effects[name].effect is None) == (not paired)
        assert (effects[name].low is None) == (len(paired) < 2)
    known = [effect.importance for effect in effects.values() if effect.importance is not None]
    assert known == sorted(known, reverse=True)
    assert [effect.effect is None for effect in effects.values()] == sorted(
        effect.effect is None for effect in effects.values()
    )
    assert json.loads(json.dumps(effects.to_dict())) == effects.to_dict()
    assert str(effects) and effects._repr_html_()


def test_the_noise_that_the_seed_brings_to_all_variants_is_not_in_the_interval():
    noise = np.random.default_rng(7).normal(size=6)
    effects = loco(lambda left, repeat: float(noise[repeat]) + 0.01 * len(left), "a", "b", repeats=6)
    effect, base = effects["a"], effects.reference
    assert effect.effect == pytest.approx(-0.01) and effect.high - effect.low < 1e-12
    assert base is not None and base.low is not None and base.high - base.low > 1
    assert effects.notes == ()  # the seed is used: the base differs from repeat to repeat


def test_what_is_missing_is_told_with_its_reason_and_comes_last():
    design = study(LOCO(), "leak", "noise", "texture")
    metrics = results(design, additive)
    metrics["without leak"] = {}
    del metrics["without noise"][1], metrics["without texture"][0]
    missing = {"without leak": {0: "failed", 1: "failed", 2: "was lost"}, "without noise": {1: "was stopped early"}}
    effects = Effects(design, metrics, missing=missing)

    assert list(effects) == ["texture", "noise", "leak"]
    assert effects["leak"].effect is None and effects["leak"].importance is None and effects["leak"].verdict == ""
    assert effects["leak"].note == "'without leak' failed in 2 of 3 repeats; 'without leak' was lost in 1 of 3 repeats"
    assert effects["noise"].note == "'without noise' was stopped early in 1 of 3 repeats"
    assert effects["noise"].pairs == 2 and effects["noise"].effect == 0
    assert effects["texture"].note == "'without texture' has no result in 1 of 3 repeats"


def test_a_repeat_that_failed_everywhere_counts_as_begun():
    design = study(LOCO(), "noise")
    missing = {name: {3: "failed"} for name in ("base", "without noise")}
    effects = Effects(design, results(design, additive), missing=missing)
    assert effects.repeats == 4 and effects["noise"].pairs == 3
    assert effects["noise"].note.startswith("'without noise' failed in 1 of 4 repeats; 'base' failed in 1")


def test_a_metric_that_is_no_number_is_no_result():
    effects = Effects(study(LOCO(), "a"), {"base": {0: 1.0, 1: nan, 2: 3.0}, "without a": {0: 0.5, 1: 0.5, 2: 0.5}})
    assert effects["a"].values == (-0.5, -2.5)
    assert effects["a"].note == "'base' has no result in 1 of 3 repeats"
    assert effects.with_confidence(0.9)["a"].note == effects["a"].note


def test_a_study_that_was_interrupted_before_its_first_result_has_a_table_all_the_same():
    effects = Effects(study(LeaveTwoOut(), "a", "b"), {})
    assert [effect.note for effect in effects.values()] == ["no results"] * 3
    assert effects.reference is not None and effects.reference.mean is None
    assert "base: no result, 0 repeats" in str(effects)


def test_variants_of_a_design_that_does_not_say_what_they_leave_out_are_compared_too():
    """As those of an ablator of the developer API, which may try the base last, or never."""
    contrast = Contrast(name="fare", weights={"without fare": 1.0, "base": -1.0})
    design = Design(variants=[Variant(name="without fare"), Variant(name="base")], contrasts=[contrast])
    effects = Effects(design, {"without fare": {0: 0.5}, "base": {0: 0.75}})
    assert effects["fare"].importance == 0.25 and effects["fare"].kind == "left out"
    assert effects.reference is not None and effects.reference.mean == 0.75

    never = Effects(Design(variants=design.variants[:1], contrasts=[contrast]), {"without fare": {0: 0.5}})
    assert never["fare"].note == "'base' has no result in 1 of 1 repeats"
    nothing = Effects(Design(variants=[], contrasts=[]), {})
    assert nothing.reference is None and len(nothing) == 0 and "no result" in str(nothing)


def test_weights_of_any_size_make_a_comparison():
    weights = {"a": 1.0, "b": -0.5, "c": -0.5}
    design = Design(variants=[Variant(name=name) for name in weights], contrasts=[Contrast(name="a", weights=weights)])
    effects = Effects(design, {"a": {0: 4.0}, "b": {0: 1.0}, "c": {0: 2.0}})
    assert effects["a"].effect == 2.5 and effects["a"].formula == "a - 0.5 b - 0.5 c"


# --- intervals --------------------------------------------------------------------------------


def noisy(seed: int, repeats: int) -> Callable[[set[str], int], float]:
    """Every run has noise of its own beside what the seed brings, and leaving one out costs 0.1."""
    stream = np.random.default_rng(seed)
    common = stream.normal(size=repeats)
    return lambda left, repeat: float(common[repeat] + 0.1 * len(left) + stream.normal())


def test_an_interval_is_that_of_students_t_over_the_paired_differences():
    effects = loco(noisy(1, 7), "a", repeats=7)
    effect = effects["a"]
    expected = stats.ttest_1samp(effect.values, 0).confidence_interval(0.95)
    assert (effect.low, effect.high) == pytest.approx((expected.low, expected.high))
    narrow = effects.with_confidence(0.5)["a"]
    assert effect.low < narrow.low < narrow.effect == effect.effect < narrow.high < effect.high


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_95_of_100_intervals_cover_the_truth(repeats):
    covered = 0
    for seed in range(2000):
        effect = loco(noisy(seed, repeats), "a", repeats=repeats)["a"]
        covered += effect.low <= -0.1 <= effect.high
    assert 0.935 < covered / 2000 < 0.965  # three standard deviations of a share of 2000


def test_simultaneous_intervals_cover_all_truths_at_once_and_the_others_do_not():
    names = [f"c{number}" for number in range(20)]
    one_by_one = at_once = 0
    for seed in range(200):
        effects = loco(noisy(seed, 5), *names, repeats=5)
        one_by_one += all(effect.low <= -0.1 <= effect.high for effect in effects.values())
        wide = effects.with_confidence(simultaneous=True)
        at_once += all(effect.low <= -0.1 <= effect.high for effect in wide.values())
        assert sorted(wide) == sorted(effects)
    assert one_by_one / 200 < 0.7
    assert at_once / 200 >= 0.93


def test_of_many_intervals_the_table_says_that_some_miss_unless_they_hold_at_once():
    names = [f"c{number}" for number in range(20)]
    effects = loco(noisy(3, 5), *names, repeats=5)
    assert any("Of 20 intervals about 1 will miss" in note for note in effects.notes)
    assert effects.with_confidence(simultaneous=True).notes == ()
    assert "95 % simultaneous interval" in str(effects.with_confidence(simultaneous=True))
    assert loco(noisy(3, 5), *names[:19], repeats=5).notes == ()


def test_repeats_that_are_identical_have_intervals_without_width_and_a_question():
    effects = loco(lambda left, _: additive(left, 0), "leak", "noise")
    assert effects["leak"].low == effects["leak"].high == effects["leak"].effect == -0.25
    assert effects["noise"].verdict == "no difference"
    assert effects.notes == ("The repeats are identical: does the training use its seed?",)


def test_one_repeat_has_effects_without_intervals_and_says_so():
    effects = loco(additive, "leak", "noise", repeats=1)
    assert effects["leak"].effect == -0.25 and effects["leak"].low is None and effects["leak"].verdict == ""
    assert effects.notes == ("There is one repeat, so there are no intervals: a difference may be chance.",)
    assert "interval" not in str(effects).splitlines()[3]


def test_without_scipy_no_result_is_lost_and_the_table_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    effects = loco(additive, "leak", "noise")
    assert effects["leak"].effect == -0.25 and effects["leak"].low is None
    assert effects.notes == ("There are no intervals without scipy: pip install maggy[ablation]",)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, nan])
def test_a_confidence_that_is_no_probability_is_refused(confidence):
    with pytest.raises(ConfigError, match=r"between 0 and 1, e\.g\. 0\.95"):
        loco(additive, "leak", confidence=confidence)


# --- what is shown ----------------------------------------------------------------------------


def test_the_table_is_what_it_was():
    design = study(LeaveTwoOut(pairs=[("leak", "texture")]), "noise", "texture", "leak")
    jitter = [-0.01, 0.0, 0.01]
    metrics = results(design, lambda left, repeat: additive(left, 0) + jitter[repeat] * len(left))
    del metrics["without texture"][1]
    effects = Effects(design, metrics, metric="accuracy", missing={"without texture": {1: "failed"}})
    assert str(effects) == (
        "Effects on accuracy (higher is better)\n"
        "base: 0.8750 (0.8005 to 0.9495), 3 repeats\n"
        "\n"
        "left out            effect       95 % interval  pairs\n"
        "leak               -0.2500  -0.2748 to -0.2252      3  worse without it\n"
        "texture            -0.1250  -0.2521 to +0.0021      2  not clear; 'without texture' failed in 1 of 3 repeats\n"
        "noise               0.0000  -0.0248 to +0.0248      3  not clear\n"
        "\n"
        "left out together   effect       95 % interval  pairs\n"
        "texture x leak      0.0000    0.0000 to 0.0000      2  "
        "no difference; 'without texture' failed in 1 of 3 repeats\n"
        "\n"
        "left out: accuracy without it, minus base\n"
        "left out together: the effect of leaving out both, minus the effects of leaving out either"
    )


def test_effects_that_are_tiny_or_huge_are_shown_with_four_digits():
    assert "-0.00001250" in str(loco(lambda left, repeat: 1.25e-5 * len(left), "a"))
    assert "-125000" in str(loco(lambda left, repeat: 125_000.0 * len(left), "a"))


def test_the_table_of_a_notebook_shows_names_as_they_are():
    effects = loco(additive, "leak", "noise", metric="<i>")
    html = loco(lambda left, repeat: float(len(left)), "<script>alert(1)</script>", "a & b", metric="<i>")._repr_html_()
    assert "<script" not in html and "<i>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "a &amp; b" in html and "&lt;i&gt;" in html
    assert effects._repr_html_().count("<tr>") == 3


def test_the_data_frame_has_a_row_for_each_effect_in_its_rank():
    design = study(LOCO(), "noise", "leak", "gone")
    metrics: Mapping[str, dict[int, float]] = results(design, lambda left, r: additive(left - {"gone"}, r)) | {
        "without gone": {}
    }
    table = Effects(design, metrics).to_pandas()
    assert list(table["name"]) == ["leak", "noise", "gone"]
    assert list(table["effect"][:2]) == [-0.25, 0] and isnan(table["effect"][2])
    assert list(table["importance"][:2]) == [0.25, 0] and list(table["pairs"]) == [3, 3, 0]
    assert {str(table[column].dtype) for column in ("effect", "low", "high", "importance")} == {"float64"}
    assert "has no result in 3 of 3" in table["note"][2]


def test_all_of_it_can_be_written_as_json():
    found = json.loads(json.dumps(loco(additive, "leak", metric="accuracy").to_dict()))
    assert found["metric"] == "accuracy" and found["direction"] == "max" and found["confidence"] == 0.95
    assert found["reference"]["name"] == "base" and found["reference"]["values"] == [
        0.75,
        0.75 + 1 / 1024,
        0.75 + 2 / 1024,
    ]
    assert found["effects"][0]["effect"] == -0.25 and found["effects"][0]["values"] == [-0.25] * 3
    assert found["effects"][0]["pairs"] == 3 and found["effects"][0]["formula"] == "without leak - base"


# --- the plot ---------------------------------------------------------------------------------


def mixed() -> Effects:
    """One component of each sort, under names that an axis might take for numbers, dates or markup."""
    design = study(LOCO(), "2020", "3", "<b>bold</b>", "2021-01-01")
    jitter = [-0.01, 0.0, 0.01]
    metrics = results(
        design, lambda left, repeat: ("2020" in left) / 4 + ("<b>bold</b>" in left) / 8 + jitter[repeat] * len(left)
    )
    metrics["without 2021-01-01"] = {}
    metrics["without <b>bold</b>"] = {0: metrics["without <b>bold</b>"][0]}
    return Effects(design, metrics, metric="accuracy")


def test_the_plot_has_a_row_for_each_effect_from_the_top_and_marks_of_three_shapes():
    effects = mixed()
    figure = effects.plot()
    assert list(effects) == ["2020", "<b>bold</b>", "3", "2021-01-01"]
    assert list(figure.layout.yaxis.ticktext) == ["2020", "&lt;b&gt;bold&lt;/b&gt;", "3", "2021-01-01"]
    assert list(figure.layout.yaxis.tickvals) == [0, 1, 2, 3] and figure.layout.yaxis.range == (3.5, -0.5)

    traces = {trace.name: trace for trace in figure.data}
    assert {name: list(trace.y) for name, trace in traces.items()} == {
        "interval excludes 0": [0], "interval includes 0": [2], "no interval": [1],
    }  # fmt: skip
    assert len({trace.marker.symbol for trace in figure.data}) == 3

    clear, first = traces["interval excludes 0"], effects["2020"]
    assert list(clear.x) == [first.effect]
    assert clear.x[0] + clear.error_x.array[0] == pytest.approx(first.high)
    assert clear.x[0] - clear.error_x.arrayminus[0] == pytest.approx(first.low)
    assert "without 2020 - base" in clear.hovertext[0] and "worse without it" in clear.hovertext[0]
    assert "<b>bold" not in traces["no interval"].hovertext[0].removeprefix("<b>")


def test_the_plot_has_a_line_at_0_says_what_is_missing_and_names_base_and_repeats():
    figure = mixed().plot()
    (line,) = figure.layout.shapes
    assert (line.x0, line.x1) == (0, 0)
    (note,) = figure.layout.annotations
    assert note.y == 3 and note.text == "'without 2021-01-01' has no result in 3 of 3 repeats"
    assert "accuracy" in figure.layout.title.text and "base: 0." in figure.layout.title.text
    assert "3 repeats" in figure.layout.title.text
    assert figure.layout.xaxis.title.text == "effect and 95 % interval"
    assert loco(additive, "leak", repeats=1).plot().layout.xaxis.title.text == "effect"


def test_the_plot_is_written_as_a_page_that_needs_no_network(tmp_path):
    page = tmp_path / "effects.html"
    mixed().plot().write_html(page)
    text = page.read_text()
    assert "Effects on accuracy" in text and '<script src="http' not in text


def test_without_plotly_the_plot_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ImportError, match=r"pip install maggy\[ablation\]"):
        mixed().plot()
