"""Every optimizer here passes the suite that users run on theirs."""

import random
from collections.abc import Sequence

import pytest

from maggy.optimizer import IDLE, AbstractOptimizer, GridSearch, Optimizer, RandomSearch, SingleRun, resolve
from maggy.searchspace import Searchspace
from maggy.testing import OptimizerContract, play
from maggy.trial import Trial


class TestRandomSearch(OptimizerContract):
    def make(self):
        return RandomSearch()


class TestGridSearch(OptimizerContract):
    def make(self):
        return GridSearch()

    def space(self):
        return Searchspace(
            kernel=("INTEGER", [2, 4]), batch=("DISCRETE", [16, 32]), layers=("CATEGORICAL", [[64], [64, 32]])
        )


class TestSingleRun(OptimizerContract):
    def make(self):
        return SingleRun()

    def space(self):
        return Searchspace()


class HalvesTheRange(AbstractOptimizer):
    """As a user would write it: no `super().__init__()`, waits now and then, looks at what is running and finished."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def initialize(self):
        self.stream = random.Random(self.seed)
        self.waited = False

    def get_suggestion(self, trial=None):
        if len(self.trial_store) + len(self.final_store) >= self.num_trials:
            return None
        if self.trial_store and not self.waited:
            self.waited = True
            return IDLE
        self.waited = False
        params = {entry["name"]: self.stream.choice(self._values(entry)) for entry in self.searchspace}
        results = self.get_metrics_dict()
        if results:
            best = min(results, key=results.__getitem__)
            params["dropout"] = (params["dropout"] + self.get_hparams_dict(best)[best]["dropout"]) / 2
        return self.create_trial(params, "model")

    def finalize_experiment(self, trials):
        pass

    def _values(self, entry: dict) -> Sequence:
        if entry["type"] == "INTEGER":
            return range(entry["values"][0], entry["values"][1] + 1)
        return entry["values"]


class TestACustomOptimizer(OptimizerContract):
    def make(self):
        return HalvesTheRange(seed=5)


class Broken(Optimizer):
    """An optimizer with one fault."""

    def __init__(self, answer):
        self.answer = answer

    def suggest(self, n, rng):
        return self.answer(n)


space = Searchspace(k=("INTEGER", [1, 9]))
the_same = Trial({"k": 1})


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda n: IDLE, "while no trial is running"),
        (lambda n: Trial({"k": 1}), "promised at most 12 trials"),
        (lambda n: the_same, "suggested trial 0 once more"),
        (lambda n: {"k": 1}, "not a Trial, a Promotion, 'IDLE' or None"),
    ],
)
def test_a_faulty_optimizer_cannot_play(answer, fault):
    with pytest.raises(AssertionError, match=fault):
        play(Broken(answer), space)


def broken_suite(answer) -> OptimizerContract:
    suite = OptimizerContract()
    suite.make = lambda: Broken(lambda n: answer(n) if n < 12 else None)
    suite.space = lambda: space
    return suite


def test_the_suite_catches_what_it_is_there_to_catch():
    with pytest.raises(AssertionError):
        broken_suite(lambda n: None).test_it_suggests_something()
    with pytest.raises(AssertionError):
        broken_suite(lambda n: Trial({"k": random.random()})).test_a_search_is_repeated_by_its_seed()
    with pytest.raises(AssertionError):
        broken_suite(lambda n: Trial({"k": random.random()})).test_the_global_random_streams_are_left_alone()
    with pytest.raises(AssertionError, match="'k': 10} lies outside"):
        broken_suite(
            lambda n: Trial({"k": 10})
        ).test_every_suggestion_has_one_value_of_the_space_for_each_hyperparameter()
    with pytest.raises(AssertionError):
        broken_suite(
            lambda n: Trial({"j": 1})
        ).test_every_suggestion_has_one_value_of_the_space_for_each_hyperparameter()
    with pytest.raises(AssertionError):
        broken_suite(lambda n: Trial({"k": (1, 2)})).test_suggestions_survive_json()
    shared = [1]
    with pytest.raises(AssertionError):
        broken_suite(lambda n: Trial({"k": shared})).test_no_two_trials_share_a_list()


def test_the_suite_catches_an_optimizer_that_ignores_the_direction():
    class LargestIsBest(HalvesTheRange):
        def get_metrics_dict(self, trial_ids="all"):
            return {trial.trial_id: -trial.final_metric for trial in self.final_store if trial.final_metric is not None}

    suite = TestACustomOptimizer()
    suite.make = lambda: LargestIsBest(seed=5)
    with pytest.raises(AssertionError):
        suite.test_minimising_a_metric_is_maximising_its_negative()


def test_an_optimizer_can_be_used_for_one_experiment_after_another():
    for optimizer in (RandomSearch(), GridSearch(), resolve(HalvesTheRange(seed=5))):
        small = Searchspace(dropout=("DISCRETE", [0, 1, 2]))
        first = [trial.params for trial in play(optimizer, small)]
        assert [trial.params for trial in play(optimizer, small)] == first
