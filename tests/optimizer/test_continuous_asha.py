"""Continuous ASHA, as Fugue-Tune has it."""

from math import isfinite, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.errors import ConfigError
from maggy.optimizer import ContinuousAsha, Plan
from maggy.searchspace import Searchspace
from maggy.testing import OptimizerContract, Stage, play
from maggy.trial import TrialState

space = Searchspace(x=("DOUBLE", [0, 1]))


class TestContinuousAsha(OptimizerContract):
    takes_budget = False

    def make(self):
        return ContinuousAsha([(1, 4), (3, 2), (9, 1)])


def stage_of(*rungs: tuple[int, int], num_trials: int = 20, **settings) -> Stage:
    return Stage(ContinuousAsha(rungs), space, num_trials=num_trials, **{"takes_budget": False, **settings})


def test_the_first_to_come_always_go_on_and_later_ones_if_they_drive_out_a_worse_one():
    stage = stage_of((1, 2), (5, 1))
    losses = [0.9, 0.8, 0.85, 0.95, 0.8, 0.7]
    reasons = [stage.report(stage.ask(), 1, loss) for loss in losses]
    assert reasons == [
        None,
        None,
        None,  # 0.9 is driven out, and runs on all the same
        "continuous asha: not among the best 2 at step 1",
        None,  # 0.85 is driven out
        None,  # one of the two with 0.8 is driven out
    ]
    assert 0 in stage.running


def test_of_equal_losses_the_trial_that_was_there_stays():
    stage = stage_of((1, 1), (5, 1))
    assert stage.report(stage.ask(), 1, 0.5) is None
    assert stage.report(stage.ask(), 1, 0.5) == "continuous asha: not among the best 1 at step 1"


def test_every_trial_ends_at_the_last_rung():
    stage = stage_of((1, 2), (3, 2))
    trial = stage.ask()
    assert [stage.report(trial, step, 0.5) for step in (0, 1, 2)] == [None] * 3
    assert stage.report(trial, 4, 0.5) == "continuous asha: it has gone beyond step 3, the last rung"


def test_no_trial_begins_when_all_rungs_are_full():
    stage = stage_of((1, 2), (3, 1))
    first, second = stage.ask(), stage.ask()
    for trial in (first, second):
        assert stage.report(trial, 1, 0.5) is None
    assert stage.ask() is not None  # the last rung has room
    assert stage.report(first, 3, 0.5) is None
    assert stage.ask() is None
    assert stage.report(second, 3, 0.4) is None  # what runs runs on


def test_a_failed_trial_takes_no_place_and_nan_neither():
    stage = stage_of((1, 1), (3, 1))
    stage.end(stage.ask(), None)
    assert stage.report(stage.ask(), 1, nan) == "continuous asha: not among the best 1 at step 1"
    assert stage.report(stage.ask(), 1, 0.5) is None


def test_there_are_never_more_trials_than_the_user_asked_for():
    assert len(play(ContinuousAsha([(1, 99), (3, 9)]), space, num_trials=7, takes_budget=False)) == 7


def test_the_total_work_is_bounded_by_the_plan():
    plan = [(1, 8), (3, 4), (9, 2)]
    trials = play(
        ContinuousAsha(plan), space, num_trials=500, workers=4, loss=lambda trial: trial.params["x"], takes_budget=False
    )
    assert len(trials) < 100


def test_a_function_that_asks_for_a_budget_gets_the_last_of_the_plan():
    assert stage_of((1, 2), (30, 1), takes_budget=True).ask().budget == 30


def test_models_learn_from_its_milestones():
    stage = Stage(ContinuousAsha([(1, 2), (3, 1)], sampler="tpe"), space, takes_budget=False)
    trial = stage.ask()
    for step in (1, 2):
        stage.report(trial, step, 0.5)
    (observation,) = stage.optimizer.setting.draws.history.observations
    assert (observation.trial, observation.budget, observation.loss) == (0, 1, 0.5)


def test_the_direction_is_honoured():
    for direction in ("min", "max"):
        trials = play(
            ContinuousAsha([(1, 2), (3, 20)]),
            space,
            num_trials=30,
            direction=direction,
            takes_budget=False,
            steps=4,
            loss=lambda trial: trial.params["x"],
        )
        assert {trial.state for trial in trials} == {TrialState.STOPPED}
        reached = [trial for trial in trials if "the last rung" in trial.reason]
        stopped = [trial for trial in trials if "not among the best" in trial.reason]
        assert min(trial.params["x"] for trial in reached) < min(trial.params["x"] for trial in stopped)


def test_a_plan_with_n_is_refused():
    with pytest.raises(ConfigError, match="a plan for continuous ASHA has no n"):
        ContinuousAsha(Plan([(1, 1)], n=3))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.1, 0.2, 0.3, nan])), max_size=60), st.integers(1, 3))
def test_every_judgement_is_that_of_the_definition(reports, keep):
    stage = stage_of((1, keep), (2, keep), (4, keep), num_trials=6)
    trials = [stage.ask() for _ in range(6)]
    step = dict.fromkeys(range(6), 0)
    best: dict[int, list[tuple[float, int]]] = {1: [], 2: []}
    for number, loss in reports:
        if trials[number].state is not TrialState.RUNNING:
            continue
        step[number] += 1
        reason = stage.report(trials[number], step[number], loss)
        if step[number] == 5:
            assert reason is not None
        elif step[number] in (3, 4):
            assert reason is None
        else:
            heap = best[step[number]]
            if isfinite(loss):
                heap.append((loss, number))
                if len(heap) > keep:
                    heap.remove(max(heap))
            assert (reason is None) == ((loss, number) in heap)
