"""The state of an experiment as its journal tells it."""

import pytest
from brain.helpers import (
    Failed,
    Finished,
    Interrupted,
    Joined,
    Judged,
    Left,
    Lost,
    Promoted,
    Reported,
    Started,
    Suggested,
)

from maggy.brain.commands import Stop
from maggy.brain.events import StopAsked
from maggy.chronicle import Best, Tally
from maggy.journal import Record
from maggy.trial import TrialState


class Telling:
    """Feeds events, each with its time, as records."""

    def __init__(self, **about):
        self.tally = Tally(about.get("direction", "max"), about.get("trials", 9))
        self._n = 0

    def add(self, *events, t=0.0):
        for event in events:
            self.tally.add(Record(self._n, t, event))
            self._n += 1


def tally(*events, **about):
    """The tally of these events."""
    telling = Telling(**about)
    telling.add(*events)
    return telling.tally


def add(made, *events):
    for event in events:
        made.add(Record(0, 0.0, event))


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
    add(made, Finished(0, metric=0.5))
    assert (made.running, made.ended) == (1, 1)
    add(made, Failed(1))
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
    add(made, Joined(2, seat=0))
    add(made, Finished(0, metric=0.5, attempt=1))
    assert (made.ended, made.best) == (1, 0.5)


def test_a_trial_whose_workers_are_lost_too_often_has_ended():
    made = tally(*START, Lost(0), Joined(2, seat=0), Lost(2), Joined(3, seat=0))
    assert (made.running, made.ended) == (2, 0)
    add(made, Lost(3))
    assert (made.running, made.ended) == (1, 1)
    assert made.states == {TrialState.LOST: 1}


def test_what_finishes_after_an_interrupt_counts():
    made = tally(*START, Interrupted(), Finished(0, metric=0.5))
    assert (made.ended, made.best) == (1, 0.5)


# --- time


def test_nobody_knows_how_long_it_takes_before_three_trials_have_ended():
    telling = Telling(trials=6)
    telling.add(*START)
    telling.add(Finished(0, metric=0.5), Finished(1, metric=0.5), t=10.0)
    assert telling.tally.time_left(10.0) is None


def test_trials_that_all_take_as_long_leave_no_doubt():
    telling = Telling(trials=6)
    telling.add(*START)
    for n in range(4):  # two workers, ten seconds each
        telling.add(Finished(n, metric=0.5), t=10.0 * (n // 2 + 1))
        telling.add(Suggested(ask=n + 2, trial=n + 2), t=10.0 * (n // 2 + 1))
    left = telling.tally.time_left(24.0)  # two are left, which run since four seconds
    assert (left.seconds, left.low, left.high) == (6.0, 6.0, 6.0)


def test_trials_of_different_length_leave_some_doubt():
    telling = Telling(trials=100)
    telling.add(*START)
    t = 0.0
    for n in range(20):
        t += 1.0 + n % 3
        telling.add(Finished(n, metric=0.5), Suggested(ask=n + 2, trial=n + 2), t=t)
    left = telling.tally.time_left(t)
    assert 0 < left.low < left.seconds < left.high


def test_workers_are_used_for_the_part_of_their_time_that_they_run_trials():
    telling = Telling()
    telling.add(*START)
    telling.add(Finished(0, metric=0.5), t=5.0)  # and idles from then on: nobody suggests anything
    assert telling.tally.utilisation(10.0) == 0.75
    telling.add(Lost(0), t=10.0)
    assert telling.tally.utilisation(20.0) == (5 + 20) / (10 + 20)


def test_the_time_between_two_drivers_is_nobodys():
    telling = Telling(trials=2)
    telling.add(Started(0, 2), *START)
    telling.add(Reported(0, step=0, value=0.5), t=10.0)
    telling.add(Started(1, 2), t=1000.0)
    assert telling.tally.workers == 0
    assert telling.tally.utilisation(1000.0) == 1.0
    assert telling.tally.spans.busy_s == 20.0


def test_the_course_of_the_best_and_the_last_reason():
    telling = Telling()
    telling.add(*START)
    telling.add(Finished(0, metric=0.5), Suggested(ask=2, trial=2), t=1.0)
    telling.add(Finished(1, metric=0.4), t=2.0)
    telling.add(Judged(2, step=0, stop=True, reason="below the median"), t=3.0)
    telling.add(Left(2, metric=0.7), t=4.0)
    assert telling.tally.bests == [Best(1.0, 0, 0.5), Best(4.0, 2, 0.7)]
    assert telling.tally.last_reason == "trial 2 stopped: below the median"
    status = telling.tally.status(4.0)
    assert status["finished"] == 2 and status["stopped"] == 1 and status["best_trial"] == 2
    assert status["state"] == "running"


def test_a_trial_that_somebody_asked_to_stop_is_told_so_once():
    telling = Telling()
    telling.add(*START)
    asked = StopAsked(trial=0, reason="asked for by ada")
    commands = telling.tally.add(Record(4, 1.0, asked))
    assert [type(command) for command in commands] == [Stop]
    assert telling.tally.add(Record(5, 1.0, asked)) == []
    assert telling.tally.add(Record(6, 1.0, StopAsked(trial=7, reason="there is none"))) == []
    telling.add(Left(0, metric=0.3), t=2.0)
    assert telling.tally.states == {TrialState.STOPPED: 1}


def test_a_best_that_becomes_worse_at_a_larger_budget_makes_room_for_the_next():
    telling = Telling()
    telling.add(Started(0, 9, promotes=True), *START[:2])
    telling.add(Suggested(ask=0, trial=0, resumable=True, lr=0.1), Suggested(ask=1, trial=1, resumable=True, lr=0.2))
    telling.add(Finished(0, metric=0.5), t=1.0)
    telling.add(Promoted(ask=2, trial=0, budget=3.0), Finished(1, metric=0.4), t=2.0)
    assert (telling.tally.best, telling.tally.best_trial) == (0.5, 0)
    telling.add(Finished(0, metric=0.3, attempt=1), t=3.0)
    assert (telling.tally.best, telling.tally.best_trial, telling.tally.best_params) == (0.4, 1, {"lr": 0.2})
    assert telling.tally.bests == [Best(1.0, 0, 0.5), Best(3.0, 1, 0.4)]


def test_of_equals_after_a_promotion_the_one_that_ended_first_is_the_best_as_in_the_result():
    telling = Telling()
    telling.add(Started(0, 9, promotes=True), *START[:2])
    telling.add(Suggested(ask=0, trial=0, resumable=True, lr=0.1), Suggested(ask=1, trial=1, resumable=True, lr=0.2))
    telling.add(Finished(0, metric=0.5), Finished(1, metric=0.7), t=1.0)
    telling.add(Promoted(ask=2, trial=0, budget=3.0), Finished(0, metric=0.7, attempt=1), t=2.0)
    assert (telling.tally.best, telling.tally.best_trial) == (0.7, 0)
