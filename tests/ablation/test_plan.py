"""Which trials a study has, and what its effects are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from maggy.ablation import AblationStudy, AbstractAblator
from maggy.ablation.components import BASE, Variant
from maggy.ablation.plan import AblationPlan, AblatorAdapter, design_of, metrics_of
from maggy.errors import ConfigError
from maggy.optimizer import Report, Setting
from maggy.optimizer.draws import Draws
from maggy.optimizer.sampler import Undrawn
from maggy.searchspace import Searchspace
from maggy.trial import Trial, TrialState

VARIANTS = [Variant(name=BASE), Variant(name="without a"), Variant(name="without b")]
RNG = np.random.default_rng(0)


def setting(finished: Sequence[Trial] = ()) -> Setting:
    space = Searchspace()
    draws = Draws(Undrawn(), space, seed=0, most=1, objectives=1)
    return Setting(space=space, num_trials=1, direction="max", running={}, finished=finished, draws=draws)


def all_of(plan: AblationPlan) -> list[dict]:
    count = plan.prepare(setting())
    trials = [plan.suggest(n, RNG) for n in range(count)]
    assert plan.suggest(count, RNG) is None
    return [trial.params for trial in trials]


def test_repeats_come_one_after_the_other_each_with_all_variants() -> None:
    params = all_of(AblationPlan(VARIANTS, repeats=2, seed=None))
    assert [(each["repeat"], each["variant"]) for each in params] == [
        (0, "base"), (0, "without a"), (0, "without b"), (1, "base"), (1, "without a"), (1, "without b"),
    ]  # fmt: skip
    assert all(set(each) == {"variant", "repeat"} for each in params)


def test_the_variants_of_one_repeat_share_a_seed_and_no_two_repeats_do() -> None:
    params = all_of(AblationPlan(VARIANTS, repeats=5, seed=7))
    by_repeat = [{each["seed"] for each in params if each["repeat"] == repeat} for repeat in range(5)]
    assert all(len(seeds) == 1 for seeds in by_repeat)
    assert len(set.union(*by_repeat)) == 5


def test_a_study_with_the_same_seed_is_the_same_and_with_another_is_another() -> None:
    once, again, other = (all_of(AblationPlan(VARIANTS, repeats=3, seed=seed)) for seed in (7, 7, 8))
    assert once == again
    assert not {each["seed"] for each in once} & {each["seed"] for each in other}


class OneAtATime(AbstractAblator):
    """The base, then what the study includes, until something was without effect."""

    def __init__(self) -> None:
        self.seen: list[Trial] = []

    def initialize(self) -> None:
        self.left = [{}, *({"ablated_feature": name} for name in self.ablation_study.features.list_all())]

    def get_number_of_trials(self) -> int:
        return len(self.left)

    def get_trial(self, ablation_trial: Trial | None = None) -> Trial | None:
        if ablation_trial is not None:
            self.seen.append(ablation_trial)
        return Trial(self.left.pop(0)) if self.left else None

    def finalize_experiment(self, trials: list[Trial]) -> None:
        self.all = trials


def adapted(custom: AbstractAblator, finished: Sequence[Trial] = ()) -> AblatorAdapter:
    study = AblationStudy("titanic", 1, "survived")
    study.features.include("fare", "age")
    adapter = AblatorAdapter(custom, study)
    assert adapter.prepare(setting(finished)) == custom.get_number_of_trials()
    return adapter


def test_an_ablator_of_ones_own_is_asked_until_it_has_no_more() -> None:
    custom = OneAtATime()
    adapter = adapted(custom)

    base = adapter.suggest(0, RNG)
    assert base.params == {"ablated_feature": None, "ablated_layer": None, "variant": "base", "repeat": 0}
    adapter.observe(Report(trial=base, loss=0.0))
    assert adapter.suggest(1, RNG).params["variant"] == "without fare"
    assert custom.seen == [base]
    assert adapter.suggest(2, RNG).params["variant"] == "without age"
    assert adapter.suggest(3, RNG) is None


def test_an_ablator_of_ones_own_sees_what_has_ended() -> None:
    ended = [Trial({"variant": "base", "repeat": 0})]
    custom = OneAtATime()
    adapter = adapted(custom, ended)
    assert custom.final_store is ended
    adapter.finalize()
    assert custom.all == ended


def test_what_is_left_out_twice_is_a_repeat() -> None:
    class Twice(OneAtATime):
        def initialize(self) -> None:
            self.left = [{"ablated_layer": "None"}, {"ablated_layer": "body"}] * 2

    adapter = adapted(Twice())
    params = [adapter.suggest(n, RNG).params for n in range(4)]
    assert [(each["variant"], each["repeat"]) for each in params] == [
        ("base", 0), ("without body", 0), ("base", 1), ("without body", 1),
    ]  # fmt: skip


def test_generators_among_the_parameters_stay_here_because_the_worker_makes_them() -> None:
    class OfMaggy1(OneAtATime):
        def initialize(self) -> None:
            self.left = [{"dataset_function": print, "model_function": print, "ablated_feature": "fare", "epochs": 3}]

    assert adapted(OfMaggy1()).suggest(0, RNG).params == {
        "ablated_feature": "fare", "ablated_layer": None, "epochs": 3, "variant": "without fare", "repeat": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"ablated_feature": "fare"}, r"get_trial must return a new Trial\(params\) or None"),
        (Trial({}, trial_id=3), "must return a new Trial"),
        (Trial({"ablated_layer": ["a", "b"]}), r"has ablated_layer=\['a', 'b'\]; it has to be a name, or None"),
    ],
)
def test_an_answer_that_is_none_is_refused(answer, says: str) -> None:
    class Wrong(OneAtATime):
        def get_trial(self, ablation_trial: Trial | None = None):
            return answer

    with pytest.raises(ConfigError, match=says):
        adapted(Wrong()).suggest(0, RNG)


def trial(variant: str, repeat: int, metric: float | None, state: TrialState = TrialState.FINISHED) -> Trial:
    return Trial({"variant": variant, "repeat": repeat}, final_metric=metric, state=state)


def test_only_what_returned_counts_and_the_rest_has_a_reason() -> None:
    metrics, missing = metrics_of([
        trial("base", 0, 0.9),
        trial("base", 1, 0.8),
        trial("without a", 0, 0.5, TrialState.STOPPED),
        trial("without a", 1, None, TrialState.FAILED),
        trial("without b", 0, None, TrialState.LOST),
    ])  # fmt: skip
    assert metrics == {"base": {0: 0.9, 1: 0.8}}
    assert missing == {"without a": {0: "was stopped early", 1: "failed"}, "without b": {0: "was lost"}}


def test_what_an_ablator_of_ones_own_has_tried_is_compared_with_the_base() -> None:
    design = design_of([trial("without a", 0, 0.5), trial("base", 0, 0.9), trial("without a", 1, 0.4)])
    assert [variant.name for variant in design.variants] == ["base", "without a"]
    [contrast] = design.contrasts
    assert (contrast.name, dict(contrast.weights)) == ("a", {"without a": 1.0, "base": -1.0})
