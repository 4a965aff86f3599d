"""Which variants are trained, and what is compared with what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maggy.ablation.components import Component, CustomModel, Features, Layers, Switch
from maggy.ablation.designs import LOCO, AddOneIn, Cumulative, LeaveTwoOut, resolve
from maggy.errors import AblationError, ConfigError, UnknownNameError


def features(*names: str) -> list[Component]:
    return [Features(name=name, columns=(name,)) for name in names]


def trained(design) -> dict[str, list[str]]:
    return {variant.name: [each.name for each in variant.without] for variant in design.variants}


def compared(design) -> dict[str, dict[str, float]]:
    return {contrast.name: dict(contrast.weights) for contrast in design.contrasts}


def model(name: str) -> CustomModel:
    return CustomModel(name=name, generator=lambda: None)


# --- what each design does --------------------------------------------------------------------


def test_loco_compares_each_variant_without_one_component_with_the_base():
    design = LOCO().design(features("fare", "age"))
    assert trained(design) == {"base": [], "without fare": ["fare"], "without age": ["age"]}
    assert compared(design) == {
        "fare": {"without fare": 1, "base": -1},
        "age": {"without age": 1, "base": -1},
    }


def test_leave_two_out_adds_the_pairs_and_what_they_have_beyond_the_sum_of_the_two():
    design = LeaveTwoOut().design(features("a", "b", "c"))
    assert list(trained(design)) == [
        "base", "without a", "without b", "without c", "without a and b", "without a and c", "without b and c",
    ]  # fmt: skip
    assert trained(design)["without a and c"] == ["a", "c"]
    assert list(compared(design)) == ["a", "b", "c", "a x b", "a x c", "b x c"]
    assert compared(design)["b"] == {"without b": 1, "base": -1}
    assert compared(design)["a x b"] == {"without a and b": 1, "without a": -1, "without b": -1, "base": 1}


def test_only_the_pairs_that_are_asked_for_are_left_out_in_whatever_order_they_are_named():
    design = LeaveTwoOut(pairs=[("c", "a"), ("a", "c")]).design(features("a", "b", "c"))
    assert list(compared(design)) == ["a", "b", "c", "a x c"]
    assert "without a and c" in trained(design)


def test_add_one_in_compares_each_component_alone_with_nothing():
    design = AddOneIn().design(features("a", "b", "c"))
    assert trained(design) == {
        "nothing": ["a", "b", "c"], "only a": ["b", "c"], "only b": ["a", "c"], "only c": ["a", "b"],
    }  # fmt: skip
    assert compared(design)["b"] == {"only b": 1, "nothing": -1}


def test_cumulative_compares_each_step_with_the_one_before():
    design = Cumulative().design(features("a", "b", "c"))
    assert trained(design) == {
        "base": [], "without a": ["a"], "without a and b": ["a", "b"], "without a, b and c": ["a", "b", "c"],
    }  # fmt: skip
    assert compared(design) == {
        "a": {"without a": 1, "base": -1},
        "b": {"without a and b": 1, "without a": -1},
        "c": {"without a, b and c": 1, "without a and b": -1},
    }


def test_cumulative_takes_another_order_by_name():
    design = Cumulative(order=["c", "a", "b"]).design(features("a", "b", "c"))
    assert list(compared(design)) == ["c", "a", "b"]
    assert list(trained(design)) == ["base", "without c", "without c and a", "without c, a and b"]


some_names = st.lists(st.text("abc", min_size=1, max_size=3), min_size=2, max_size=6, unique=True)


@given(some_names, st.sampled_from([LOCO, LeaveTwoOut, AddOneIn, Cumulative]))
def test_weights_sum_to_nothing_and_every_variant_has_a_name_of_its_own_and_is_compared(names, ablator):
    components = [Switch(name=name, argument=name, off=None) for name in names]
    design = ablator().design(components)
    used = {variant for contrast in design.contrasts for variant in contrast.weights}
    assert used == {variant.name for variant in design.variants}
    assert len(used) == len(design.variants)
    assert all(sum(contrast.weights.values()) == 0 for contrast in design.contrasts)
    assert len({frozenset(each.name for each in variant.without) for variant in design.variants}) == len(used)
    for contrast in design.contrasts[: len(names)]:
        one, other = (set(v.without) for v in design.variants if v.name in contrast.weights)
        assert {each.name for each in one ^ other} == {contrast.name}


# --- what cannot be left out together ---------------------------------------------------------

IMPOSSIBLE = [
    (model("small"), model("wide"), "both replace the 'model'"),
    (model("small"), Layers(name="conv", patterns=("conv",)), "the model, which the other takes layers from"),
    (Layers(name="conv", patterns=("conv",)), model("small"), "the model, which the other takes layers from"),
    (Switch(name="linear", argument="model", off=1), model("small"), "both replace the 'model'"),
    (Switch(name="slow", argument="lr", off=0.1), Switch(name="slower", argument="lr", off=1), "replace the 'lr'"),
    (Features(name="a", columns=("a",)), Features(name="a, b", columns=("a", "b")), "both leave out the column 'a'"),
    (Features(name="first", columns=(0,)), Features(name="two", columns=(1, 0)), "both leave out the column 0"),
    (Layers(name="block", patterns=("block.*",)), Layers(name="c", patterns=("block.c",)), "the layer 'block.*'"),
    (Layers(name="c", patterns=("c",)), Layers(name="c (zero)", patterns=("c",), how="zero"), "the layer 'c'"),
    (Layers(name="enc", patterns=("enc",)), Layers(name="enc.0", patterns=("enc.0",)), "the layer 'enc'"),
    (Layers(name="deep", patterns=("enc/mid/out",)), Layers(name="e*", patterns=("e*",)), "the layer 'enc/mid/out'"),
    (Features(name="m*", columns=("m*",)), Features(name="ma*", columns=("ma*",)), "the column 'm*'"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "says"), IMPOSSIBLE)
def test_what_cannot_be_left_out_together_is_no_pair_and_stops_designs_that_need_it(one, other, says):
    free = Switch(name="mixup", argument="mixup", off=False)
    components = [one, free, other]

    design = LeaveTwoOut().design(components)
    assert len(design.variants) == 1 + 3 + 2
    assert not any({one, other} <= set(variant.without) for variant in design.variants)

    for ablator in (AddOneIn(), Cumulative(), LeaveTwoOut(pairs=[(one.name, other.name)])):
        with pytest.raises(AblationError, match="cannot be left out together") as raised:
            ablator.design(components)
        assert says in str(raised.value)
        assert raised.value.component == other.name

    assert len(LOCO().design(components).variants) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Features(name="a", columns=("a",)), Layers(name="conv", patterns=("a",))),
        (Features(name="a", columns=("a",)), model("small")),
        (Features(name="a", columns=("a",)), Features(name="aa", columns=("aa",))),
        (Features(name="x[0]", columns=("x[0]",)), Features(name="x0", columns=("x0",))),
        (Layers(name="enc.1", patterns=("enc.1",)), Layers(name="enc.10", patterns=("enc.10",))),
        (Switch(name="lr", argument="lr", off=0), Switch(name="decay", argument="decay", off=0)),
        (Switch(name="lr", argument="lr", off=0), model("small")),
        (Layers(name="c1", patterns=("c1",)), Layers(name="c10", patterns=("c10", "d.*"))),
    ],
)
def test_what_is_of_different_parts_can_be_left_out_together(one, other):
    assert len(LeaveTwoOut().design([one, other]).variants) == 4
    assert len(AddOneIn().design([one, other]).variants) == 3
    assert len(Cumulative().design([one, other]).variants) == 3


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("ablator", [LOCO(), LeaveTwoOut(), AddOneIn(), Cumulative()])
def test_a_study_without_components_says_how_to_include_one(ablator):
    with pytest.raises(AblationError, match=r"nothing to leave out.*include"):
        ablator.design([])


def test_leave_two_out_of_a_single_component_says_what_to_use():
    with pytest.raises(AblationError, match="loco"):
        LeaveTwoOut().design(features("a"))
    with pytest.raises(AblationError, match="loco"):
        LeaveTwoOut().design([model("small"), model("wide")])


def test_a_name_that_no_component_has_is_an_error_with_the_close_one():
    with pytest.raises(UnknownNameError, match=r"'far'.*Did you mean 'fare'"):
        LeaveTwoOut(pairs=[("age", "far")]).design(features("fare", "age"))
    with pytest.raises(UnknownNameError, match=r"'far'.*Did you mean 'fare'"):
        Cumulative(order=["age", "far"]).design(features("fare", "age"))


@pytest.mark.parametrize("order", [["a"], ["a", "a", "b"], "a", []])
def test_an_order_that_is_not_one_of_all_components_is_refused(order):
    with pytest.raises(AblationError, match="each component once"):
        Cumulative(order=order).design(features("a", "b"))


def test_the_order_says_what_it_lacks():
    with pytest.raises(AblationError, match=r"missing: 'b', 'c'$"):
        Cumulative(order=["a"]).design(features("a", "b", "c"))


@pytest.mark.parametrize("pairs", [["ab"], [("a", "b", "c")], [("a",)], [("a", "a")]])
def test_pairs_that_are_no_pairs_of_two_names_are_refused(pairs):
    with pytest.raises(ConfigError, match="pairs of two names"):
        LeaveTwoOut(pairs=pairs)


def test_names_that_would_make_two_variants_one_are_refused():
    with pytest.raises(AblationError, match="two variants would be called 'without a and b'"):
        LeaveTwoOut().design(features("a", "b", "a and b"))


# --- by name ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("loco", LOCO),
        ("LOCO", LOCO),
        ("leave-two-out", LeaveTwoOut),
        ("LeaveTwoOut", LeaveTwoOut),
        ("add_one_in", AddOneIn),
        ("cumulative", Cumulative),
        (Cumulative, Cumulative),
    ],
)
def test_a_design_is_found_by_its_name_or_class(name, kind):
    assert type(resolve(name)) is kind


def test_an_object_stays_itself_and_tells_what_it_was_made_with():
    mine = Cumulative(order=["b", "a"])
    assert resolve(mine) is mine
    assert mine.arguments == {"order": ["b", "a"]}
    assert repr(LOCO()) == "LOCO()"


def test_an_unknown_design_is_an_error_that_lists_them():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'loco'.*'leave-two-out'"):
        resolve("locco")
    with pytest.raises(ConfigError, match="'add-one-in'"):
        resolve(3)
