"""The state of an experiment as its journal tells it."""

import pytest
from brain.helpers import Failed, Finished, Interrupted, Joined, Judged, Left, Lost, Reported, Suggested

from maggy.tracking.tally import Tally
from maggy.trial import TrialState


def tally(*events, direction="max", trials=9):
    """The tally of these events."""
    made = Tally(direction, trials)
    for event in events:
        made.add(event)
    return made


START = [
    Joined(0),
    Joined(1),
    Suggested(ask=0, trial=0, lr=0.1),
    Suggested(ask=1, trial=1, lr=0.2),
]


def test_before_anything_has_happened():
    made = tally(trials=9)
    assert (made.num_trials, made.ended, made.running, made.best, made.best_params) == (9, 0, 0, None, {})


def test_trials_run_from_their_suggestion_to_their_end():
    made = tally(*START)
    assert (made.running, made.ended) == (2, 0)
    made.add(Finished(0, metric=0.5))
    assert (made.running, made.ended) == (1, 1)
    made.add(Failed(1))
    assert (made.running, made.ended) == (0, 2)
    assert made.states == {TrialState.FINISHED: 1, TrialState.FAILED: 1}


@pytest.mark.parametrize(("direction", "best"), [("max", 1), ("min", 0)])
def test_the_best_is_the_best_in_the_users_direction(direction, best):
    made = tally(*START, Finished(0, metric=0.5), Finished(1, metric=0.75), direction=direction)
    assert (made.best, made.best_trial) == ([0.5, 0.75][best], best)
    assert made.best_params == [{"lr": 0.1}, {"lr": 0.2}][best]


def test_of_equals_the_first_is_the_best():
    assert tally(*START, Finished(1, metric=0.5), Finished(0, metric=0.5)).best_trial == 1


def test_a_stopped_trial_is_a_result_and_may_be_the_best():
    made = tally(*START, Judged(0, step=1, stop=True), Left(0, metric=0.5))
    assert made.states == {TrialState.STOPPED: 1}
    assert (made.best, made.best_trial) == (0.5, 0)


def test_points_on_the_way_are_no_results():
    assert tally(*START, Reported(0, step=1, value=0.9)).best is None


def test_the_late_result_of_an_attempt_that_was_lost_changes_nothing():
    made = tally(*START, Lost(0), Finished(0, metric=0.9, attempt=0))
    assert (made.running, made.ended, made.best) == (2, 0, None)
    made.add(Joined(2, seat=0))
    made.add(Finished(0, metric=0.5, attempt=1))
    assert (made.ended, made.best) == (1, 0.5)


def test_a_trial_whose_workers_are_lost_too_often_has_ended():
    made = tally(*START, Lost(0), Joined(2, seat=0), Lost(2), Joined(3, seat=0))
    assert (made.running, made.ended) == (2, 0)
    made.add(Lost(3))
    assert (made.running, made.ended) == (1, 1)
    assert made.states == {TrialState.LOST: 1}


def test_what_finishes_after_an_interrupt_counts():
    made = tally(*START, Interrupted(), Finished(0, metric=0.5))
    assert (made.ended, made.best) == (1, 0.5)
