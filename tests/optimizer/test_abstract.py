"""The developer API of the seeds on the contract of the built-in optimizers."""

import json

import numpy as np
import pytest

from maggy.errors import ConfigError, SearchspaceError
from maggy.optimizer import IDLE, AbstractOptimizer, Draws, Report, Setting, resolve
from maggy.optimizer.sampler import Undrawn
from maggy.searchspace import Searchspace
from maggy.testing import play
from maggy.trial import Trial, TrialState

space = Searchspace(x=("INTEGER", [0, 100]))


class Scripted(AbstractOptimizer):
    """Answers from a list and writes down what it is told; no `super().__init__()`."""

    def __init__(self, *answers):
        self.answers, self.told = list(answers), []

    def initialize(self):
        self.told.append("initialize")

    def get_suggestion(self, trial=None):
        self.told.append(trial.trial_id if trial else None)
        return self.answers.pop(0) if self.answers else None

    def finalize_experiment(self, trials):
        self.told.append([trial.trial_id for trial in trials])


def prepared(custom: AbstractOptimizer, finished: list[Trial] | None = None, direction="min", num_trials=10):
    optimizer = resolve(custom)
    optimizer.prepare(
        Setting(
            space=space,
            num_trials=num_trials,
            direction=direction,
            running={},
            finished=[] if finished is None else finished,
            draws=Draws(Undrawn(), space, seed=0, most=num_trials),
        )
    )
    return optimizer


def ended(trial_id: int, metric: float | None = 0.5, **params) -> Trial:
    state = TrialState.FAILED if metric is None else TrialState.FINISHED
    return Trial(params or {"x": trial_id}, trial_id=trial_id, state=state, final_metric=metric)


def ask(optimizer):
    return optimizer.suggest(0, np.random.default_rng(0))


def trial(x: int) -> Trial:
    return Trial({"x": x})


def test_each_ended_trial_is_told_exactly_once_oldest_first_and_all_of_them_at_the_end():
    finished = []
    custom = Scripted(trial(0), trial(1), trial(2), trial(3))
    optimizer = prepared(custom, finished)

    assert [ask(optimizer).params, ask(optimizer).params] == [{"x": 0}, {"x": 1}]  # two workers ask
    for number in (1, 0):  # both end before the next worker asks
        finished.append(ended(number))
        optimizer.observe(Report(trial=finished[-1], loss=0.5))
    assert [ask(optimizer).params, ask(optimizer).params] == [{"x": 2}, {"x": 3}]
    assert ask(optimizer) is None
    for number in (3, 2):
        finished.append(ended(number))
        optimizer.observe(Report(trial=finished[-1], loss=0.5))
    optimizer.finalize()

    # Nothing is asked after the last two ended: what it would try next comes too late.
    assert custom.told == ["initialize", None, None, 1, 0, None, [1, 0, 3, 2]]


def test_an_idle_answer_is_passed_on_only_when_there_is_nothing_left_to_tell():
    custom = Scripted(IDLE, IDLE, trial(7))
    optimizer = prepared(custom)
    for number in range(2):
        optimizer.observe(Report(trial=ended(number), loss=0.5))
    assert ask(optimizer) == IDLE
    assert custom.told == ["initialize", 0, 1]
    assert ask(optimizer).params == {"x": 7}


def test_failed_trials_are_told_too_so_that_nobody_waits_for_them():
    custom = Scripted(trial(0), trial(1))
    optimizer = prepared(custom)
    optimizer.observe(Report(trial=ended(4, metric=None), loss=None))
    ask(optimizer)
    assert custom.told == ["initialize", 4]


def test_an_optimizer_that_never_ends_is_cut_at_the_number_of_trials():
    class Endless(Scripted):
        def get_suggestion(self, trial=None):
            return Trial({"x": 1})

    assert len(play(Endless(), space, num_trials=6)) == 6


def test_initialize_may_set_another_number_of_trials_and_later_changes_of_it_mean_nothing():
    class CountsDown(Scripted):
        def initialize(self):
            self.num_trials = 4

        def get_suggestion(self, trial=None):
            self.num_trials -= 1
            return Trial({"x": 1})

    assert len(play(CountsDown(), space, num_trials=6)) == 4


def test_the_driver_sets_the_historical_attributes_before_initialize():
    class Looks(Scripted):
        def initialize(self):
            self.seen = (self.num_trials, self.direction, self.searchspace, self.trial_store, self.final_store)

    custom = Looks()
    prepared(custom, direction="max")
    assert custom.seen == (10, "max", space, {}, [])


def test_numpy_values_in_a_suggestion_become_plain_ones():
    answer = ask(prepared(Scripted(Trial({"x": np.int64(3)}))))
    assert json.dumps(answer.params) == '{"x": 3}'


def test_a_budget_may_be_added_to_a_suggestion():
    custom = Scripted()
    custom.answers = [custom.create_trial({"x": 1}, "promoted", run_budget=9)]
    assert ask(prepared(custom)).params == {"x": 1, "budget": 9}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Trial({}), r"Scripted.get_suggestion left out \['x'\]: every trial needs \['x'\]"),
        (Trial({"y": 1}), r"left out \['x'\]"),
        (Trial({"x": 1, "y": 1}), r"gave \['y'\], but the search space has only \['x'\]"),
        (Trial({"x": max}), "gave hyperparameter 'x': a value must be"),
    ],
)
def test_a_suggestion_that_does_not_fit_the_space_says_what_is_wrong(answer, message):
    with pytest.raises(SearchspaceError, match=message):
        ask(prepared(Scripted(answer)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"x": 1}, r"must return Trial\(params\), 'IDLE' or None, got \{'x': 1\}"),
        ("idle", "got 'idle'"),
        (ended(3), "returned trial 3 once more; make a new one"),
    ],
)
def test_an_answer_that_is_no_new_trial_says_what_was_expected(answer, message):
    with pytest.raises(ConfigError, match=message):
        ask(prepared(Scripted(answer)))


def test_a_pruner_is_refused():
    class Plain(AbstractOptimizer):
        def initialize(self): ...
        def get_suggestion(self, trial=None): ...
        def finalize_experiment(self, trials): ...

    Plain()
    Plain(pruner=None, pruner_kwargs=None)
    with pytest.raises(ConfigError, match="pruner='hyperband' is not supported"):
        Plain(pruner="hyperband", pruner_kwargs={"eta": 3})


def test_create_trial_notes_where_the_values_come_from_and_keeps_the_callers_dict():
    hparams = {"x": 1}
    made = Scripted().create_trial(hparams, "model", run_budget=3, model_budget=1)
    assert made == Trial({"x": 1, "budget": 3}, info_dict={"sample_type": "model", "run_budget": 3, "model_budget": 1})
    assert hparams == {"x": 1}
    assert Scripted().create_trial(hparams).params == {"x": 1}


def test_the_helpers_see_results_as_losses_whatever_the_direction_and_skip_failures():
    finished = [ended(0, 0.25), ended(1, None), ended(2, 0.75), ended(3, 0.5, x=3, budget=9)]
    for direction, sign in (("min", 1), ("max", -1)):
        custom = Scripted()
        prepared(custom, finished, direction)
        assert custom.get_metrics_dict() == {0: sign * 0.25, 2: sign * 0.75, 3: sign * 0.5}
        assert custom.get_metrics_dict([2, 1]) == {2: sign * 0.75}
        assert custom.get_hparams_dict() == {0: {"x": 0}, 2: {"x": 2}, 3: {"x": 3, "budget": 9}}
        assert custom.get_hparams_dict(2) == {2: {"x": 2}}
        assert custom.ybest() == (0.25 if sign == 1 else -0.75)
        assert custom.yworst() == (0.75 if sign == 1 else -0.25)
        assert custom.ymean() == sign * 0.5
        assert custom.ybest(budget=9) == sign * 0.5
        with pytest.raises(ValueError, match="no trial has a result yet with budget 27"):
            custom.ybest(budget=27)


def test_hparams_exist_looks_at_running_and_ended_trials_but_not_at_the_trial_itself():
    custom = Scripted()
    prepared(custom, [ended(0)])
    running = Trial({"x": 5}, trial_id=1, state=TrialState.RUNNING)
    custom.trial_store = {1: running}
    assert custom.hparams_exist(trial(0))
    assert custom.hparams_exist(trial(5))
    assert not custom.hparams_exist(trial(6))
    assert not custom.hparams_exist(running)
