"""What the brain commands when, told as stories with the times written out."""

from collections import Counter
from math import inf, nan

import pytest
from brain.helpers import (
    Ask,
    Conclude,
    Exhausted,
    Failed,
    Fence,
    Finished,
    GoOn,
    Idled,
    Interrupted,
    Joined,
    Judge,
    Judged,
    Left,
    Lost,
    Promoted,
    Reported,
    Run,
    Saved,
    Settle,
    Started,
    Stop,
    StudyStopped,
    Suggested,
    Tick,
    script,
)

from maggy.brain import events as ev
from maggy.brain.commands import Ending
from maggy.errors import ImpossibleTransitionError
from maggy.trial import TrialState

FINISHED, STOPPED, FAILED, LOST = TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST
COMPLETE, HOPELESS, INTERRUPTED = Ending.COMPLETE, Ending.HOPELESS, Ending.INTERRUPTED


# --- from the first worker to the last result


def test_a_worker_joins_asks_runs_and_asks_again_until_every_trial_has_ended():
    brain = script(trials=2)
    assert brain.at(0, Joined(0)) == [Ask(0)]
    assert brain.at(0, Suggested(ask=0, trial=0, lr=0.1)) == [Run(trial=0, worker=0, lr=0.1)]
    assert brain.at(5, Finished(trial=0)) == [Settle(0, FINISHED), Ask(1)]
    assert brain.at(5, Suggested(ask=1, trial=1, lr=0.2)) == [Run(trial=1, worker=0, lr=0.2)]
    assert brain.at(9, Finished(trial=1)) == [Settle(1, FINISHED), Conclude(COMPLETE)]
    assert brain.brain.ended == {FINISHED: 2}


def test_a_failed_trial_is_one_failed_trial_and_the_search_goes_on():
    brain = script(trials=3).running(1)
    assert brain.at(5, Failed(trial=0, error="OSError")) == [Settle(0, FAILED, error="OSError"), Ask(1)]
    assert brain.at(5, Suggested(ask=1, trial=1)) == [Run(trial=1, worker=0)]


def test_no_more_is_asked_for_than_there_are_places_for_trials():
    brain = script(trials=2)
    assert brain.at(0, Joined(0)) == [Ask(0)]
    assert brain.at(0, Joined(1)) == []  # one ask at a time
    assert brain.at(0, Joined(2)) == []
    assert brain.at(0, Suggested(ask=0, trial=0)) == [Run(trial=0, worker=0), Ask(1)]
    assert brain.at(0, Suggested(ask=1, trial=1)) == [Run(trial=1, worker=1)]
    assert brain.at(1, Finished(trial=0)) == [Settle(0, FINISHED)]  # the other may still be lost and need a worker
    assert brain.at(2, Finished(trial=1)) == [Settle(1, FINISHED), Conclude(COMPLETE)]


def test_who_has_waited_longest_is_served_first():
    brain = script(trials=3, retry_s=1.0)
    brain.at(0, Joined(0))
    brain.at(0, Idled(ask=0))
    assert brain.at(0.5, Joined(1)) == []  # an idle optimizer is not pestered
    assert brain.at(1.0, Tick()) == [Ask(1)]
    assert brain.at(1.0, Suggested(ask=1, trial=0)) == [Run(trial=0, worker=0), Ask(2)]
    assert brain.at(1.0, Suggested(ask=2, trial=1)) == [Run(trial=1, worker=1)]


def test_the_trial_of_a_worker_that_died_while_it_asked_goes_to_another():
    brain = script(trials=1)
    assert brain.at(0, Joined(0)) == [Ask(0)]
    assert brain.at(0, Joined(1)) == []
    assert brain.at(0, Lost(0)) == []
    assert brain.at(0, Suggested(ask=0, trial=0)) == [Run(trial=0, worker=1)]


# --- workers that fall silent, and workers that come back


def test_a_silent_worker_loses_its_trial_and_its_late_result_changes_nothing():
    brain = script(trials=1, patience_s=30)
    assert brain.at(0, Joined(0)) == [Ask(0)]
    assert brain.at(0, Suggested(ask=0, trial=0, lr=0.1)) == [Run(trial=0, worker=0, lr=0.1)]
    assert brain.at(5, Joined(1)) == []

    assert brain.deadline() == 30
    assert brain.at(29.9, Tick()) == []
    assert brain.at(30, Tick()) == [Fence(worker=0, trial=0), Run(trial=0, worker=1, attempt=1, lr=0.1)]

    assert brain.at(31, Finished(trial=0, attempt=0)) == []  # worker 0 was only slow
    assert brain.at(32, Reported(trial=0, step=1, value=0.5, attempt=0, awaits=True)) == []
    assert brain.at(33, Finished(trial=0, attempt=1)) == [Settle(0, FINISHED), Conclude(COMPLETE)]


def test_signs_of_life_move_the_deadline():
    brain = script(trials=1, patience_s=30).running(1)
    brain.heard(20, worker=0)
    assert brain.at(30, Tick()) == []
    assert brain.deadline() == 50
    assert brain.at(49.9, Tick()) == []
    assert brain.at(50, Tick()) == [Fence(worker=0, trial=0)]


def test_a_worker_that_returns_within_its_grace_keeps_its_trial():
    brain = script(trials=1, patience_s=30, grace_s=10).running(1)
    brain.away(12, worker=0)
    assert brain.deadline() == 22
    brain.heard(21, worker=0)
    assert brain.at(22, Tick()) == []
    assert brain.deadline() == 51  # 30 s after it was heard last
    assert brain.at(40, Finished(trial=0)) == [Settle(0, FINISHED), Conclude(COMPLETE)]


def test_a_worker_that_stays_away_longer_loses_its_trial_before_its_patience_is_over():
    brain = script(trials=1, patience_s=30, grace_s=10).running(1)
    brain.at(0, Joined(1))
    brain.away(12, worker=0)
    brain.away(15, worker=0)  # the second of its two connections; the time counts from the first
    assert brain.at(22, Tick()) == [Fence(worker=0, trial=0), Run(trial=0, worker=1, attempt=1)]


def test_without_a_patience_only_a_broken_connection_has_a_deadline():
    brain = script(trials=1).running(1)
    assert brain.deadline() == inf
    brain.away(1000, worker=0)
    assert brain.deadline() == 1010


def test_the_reason_of_a_loss_says_what_was_waited_for():
    brain = script(trials=1, patience_s=30, grace_s=10).running(1)
    brain.at(0, Joined(1))
    brain.away(25, worker=1)
    assert [event.reason for event in brain.brain.due(60)] == [
        "not heard from for 30 s",
        "its connection broke and it did not come back within 10 s",
    ]


def test_a_trial_whose_workers_are_lost_too_often_is_given_up():
    brain = script(trials=2, lost_limit=3).running(1)
    assert brain.at(1, Lost(0, "SIGKILL")) == [Fence(worker=0, trial=0)]
    assert brain.at(2, Joined(1)) == [Run(trial=0, worker=1, attempt=1)]
    assert brain.at(3, Lost(1, "SIGKILL")) == [Fence(worker=1, trial=0, attempt=1)]
    assert brain.at(4, Joined(2)) == [Run(trial=0, worker=2, attempt=2)]
    assert brain.at(5, Lost(2, "SIGKILL")) == [
        Fence(worker=2, trial=0, attempt=2),
        Settle(0, LOST, error="SIGKILL (worker lost 3 times)"),
    ]
    assert brain.at(6, Finished(trial=0, attempt=2)) == []
    assert brain.at(7, Joined(3)) == [Ask(1)]


def test_a_worker_without_a_trial_is_lost_without_a_word():
    brain = script(trials=1, retry_s=60)
    brain.at(0, Joined(0))
    brain.at(0, Idled(ask=0))
    assert brain.at(1, Lost(0)) == []
    assert brain.at(2, Lost(0)) == []  # said twice


# --- seats


def test_a_twin_on_a_taken_seat_is_parked_and_takes_over_when_the_first_is_lost():
    brain = script(trials=2).running(1)
    assert brain.at(1, Joined(1, seat=0)) == []  # the cluster ran the task of seat 0 twice
    assert brain.at(2, Lost(0)) == [Fence(worker=0, trial=0), Run(trial=0, worker=1, attempt=1)]


def test_a_twin_that_is_lost_while_it_is_parked_changes_nothing():
    brain = script(trials=1).running(1)
    assert brain.at(1, Joined(1, seat=0)) == []
    assert brain.at(2, Lost(1)) == []
    assert brain.at(3, Finished(trial=0)) == [Settle(0, FINISHED), Conclude(COMPLETE)]


def test_a_worker_that_replaces_a_cut_off_one_retires_it_at_once():
    brain = script(trials=1, grace_s=10).running(1)
    brain.away(5, worker=0)
    assert brain.at(6, Joined(1, seat=0, replaces=0)) == [
        Fence(worker=0, trial=0),
        Run(trial=0, worker=1, attempt=1),
    ]
    assert brain.at(15, Tick()) == []


def test_a_replacement_waits_behind_a_twin_that_was_there_before():
    brain = script(trials=1, grace_s=10).running(1)
    assert brain.at(1, Joined(1, seat=0)) == []
    brain.away(5, worker=0)
    assert brain.at(6, Joined(2, seat=0, replaces=0)) == [
        Fence(worker=0, trial=0),
        Run(trial=0, worker=1, attempt=1),
    ]
    assert brain.at(7, Lost(1)) == [Fence(worker=1, trial=0, attempt=1), Run(trial=0, worker=2, attempt=2)]


# --- optimizers that wait, and optimizers that have enough


def test_an_idle_optimizer_is_asked_again_after_a_while():
    brain = script(trials=1, retry_s=1.0)
    brain.at(0, Joined(0))
    assert brain.at(0.5, Idled(ask=0)) == []
    assert brain.deadline() == 1.5
    assert brain.at(1.4, Tick()) == []
    assert brain.at(1.5, Tick()) == [Ask(1)]
    assert brain.deadline() == inf


def test_an_idle_optimizer_is_asked_at_once_when_a_trial_ends():
    brain = script(trials=3, retry_s=1.0).running(1)
    assert brain.at(0, Joined(1)) == [Ask(1)]
    assert brain.at(0, Idled(ask=1)) == []
    assert brain.at(0.3, Finished(trial=0)) == [Settle(0, FINISHED), Ask(2)]


def test_an_optimizer_that_idles_is_asked_once_however_many_workers_wait():
    brain = script(trials=9, retry_s=1.0).running(3)
    for worker in range(3, 6):
        brain.at(0, Joined(worker))
    brain.at(0, Idled(ask=3))
    assert brain.at(1, Finished(trial=0)) == [Settle(0, FINISHED), Ask(4)]
    assert brain.at(1, Suggested(ask=4, trial=3)) == [Run(trial=3, worker=3), Ask(5)]
    assert brain.at(1, Idled(ask=5)) == []


def test_an_exhausted_optimizer_is_not_asked_again_and_its_last_trials_are_awaited():
    brain = script(trials=100).running(2)
    assert brain.at(1, Finished(trial=0)) == [Settle(0, FINISHED), Ask(2)]
    assert brain.at(1, Exhausted(ask=2)) == []
    assert brain.at(2, Joined(2)) == []
    assert brain.at(3, Finished(trial=1)) == [Settle(1, FINISHED), Conclude(COMPLETE)]


def test_an_optimizer_that_is_exhausted_from_the_start_ends_the_experiment():
    brain = script(trials=5)
    assert brain.at(0, Joined(0)) == [Ask(0)]
    assert brain.at(0, Exhausted(ask=0)) == [Conclude(COMPLETE)]


def test_an_experiment_is_not_complete_while_an_answer_is_awaited():
    brain = script(trials=2).running(1)
    assert brain.at(0, Joined(1)) == [Ask(1)]
    assert brain.at(1, Finished(trial=0)) == [Settle(0, FINISHED)]
    assert brain.at(1, Exhausted(ask=1)) == [Conclude(COMPLETE)]


# --- stopping


def test_a_trial_that_awaits_a_verdict_is_judged_and_goes_on_or_stops():
    brain = script(trials=1).running(1)
    assert brain.at(1, Reported(trial=0, step=1, value=0.9)) == []
    assert brain.at(2, Reported(trial=0, step=2, value=0.8, awaits=True)) == [Judge(0, step=2)]
    assert brain.at(2, Judged(0, step=2, stop=False)) == [GoOn(trial=0, worker=0, step=2)]
    assert brain.at(3, Reported(trial=0, step=3, value=0.7, awaits=True)) == [Judge(0, step=3)]
    assert brain.at(3, Judged(0, step=3, stop=True, reason="median")) == [Stop(trial=0, worker=0, reason="median")]
    assert brain.at(4, Left(trial=0)) == [Settle(0, STOPPED), Conclude(COMPLETE)]


def test_a_trial_that_was_told_to_stop_is_not_judged_again():
    brain = script(trials=1).running(1)
    brain.at(1, Judged(0, step=1, stop=True))
    assert brain.at(2, Reported(trial=0, step=2, value=0.5, awaits=True)) == []
    assert brain.at(2, Judged(0, step=2, stop=True)) == []


def test_a_trial_that_was_told_to_stop_and_whose_worker_dies_counts_as_stopped():
    brain = script(trials=2).running(1)
    assert brain.at(1, Reported(trial=0, step=1, value=0.5, awaits=True)) == [Judge(0, step=1)]
    assert brain.at(1, Judged(0, step=1, stop=True)) == [Stop(trial=0, worker=0)]
    assert brain.at(2, Lost(0)) == [Fence(worker=0, trial=0), Settle(0, STOPPED)]


def test_a_trial_that_was_told_to_stop_and_has_no_number_to_show_runs_again_when_its_worker_dies():
    brain = script(trials=1, lost_limit=2).running(1)
    brain.at(1, Reported(trial=0, step=1, value=nan, awaits=True))
    assert brain.at(1, Judged(0, step=1, stop=True, reason="NaN")) == [Stop(trial=0, worker=0, reason="NaN")]
    assert brain.at(2, Lost(0)) == [Fence(worker=0, trial=0)]
    assert brain.at(3, Joined(1)) == [Run(trial=0, worker=1, attempt=1)]
    brain.at(4, Reported(trial=0, step=1, value=nan, attempt=1, awaits=True))
    brain.at(4, Judged(0, step=1, stop=True, attempt=1))
    assert brain.at(5, Lost(1, "SIGKILL"))[0] == Settle(0, LOST, error="SIGKILL (worker lost 2 times)")


def test_a_trial_that_was_done_before_it_saw_the_stop_is_finished():
    brain = script(trials=1).running(1)
    brain.at(1, Judged(0, step=1, stop=True))
    assert brain.at(2, Finished(trial=0)) == [Settle(0, FINISHED), Conclude(COMPLETE)]


def test_a_trial_that_was_told_to_stop_and_raises_something_else_has_failed():
    brain = script(trials=1).running(1)
    brain.at(1, Judged(0, step=1, stop=True))
    assert brain.at(2, Failed(trial=0, error="OSError"))[0] == Settle(0, FAILED, error="OSError")


def test_a_function_that_leaves_early_on_its_own_counts_as_stopped():
    brain = script(trials=1).running(1)
    assert brain.at(2, Left(trial=0)) == [Settle(0, STOPPED), Conclude(COMPLETE)]


def test_a_verdict_for_a_trial_that_has_moved_on_is_passed_over():
    brain = script(trials=1).running(1)
    assert brain.at(1, Reported(trial=0, step=1, value=0.5, awaits=True)) == [Judge(0, step=1)]
    assert brain.at(2, Lost(0)) == [Fence(worker=0, trial=0)]
    assert brain.at(3, Judged(0, step=1, stop=True)) == []
    assert brain.at(4, Joined(1)) == [Run(trial=0, worker=1, attempt=1)]
    assert brain.at(5, Judged(0, step=1, stop=True)) == []


# --- endings


def test_the_first_few_trials_that_fail_alike_end_the_experiment():
    brain = script(trials=100, alike_limit=3).running(2)
    assert brain.at(1, Failed(trial=0, error="KeyError")) == [Settle(0, FAILED, error="KeyError"), Ask(2)]
    brain.at(1, Suggested(ask=2, trial=2))
    assert brain.at(2, Failed(trial=1, error="KeyError")) == [Settle(1, FAILED, error="KeyError"), Ask(3)]
    brain.at(2, Suggested(ask=3, trial=3))
    assert brain.at(3, Failed(trial=3, error="KeyError")) == [
        Settle(3, FAILED, error="KeyError"),
        Conclude(HOPELESS, "KeyError"),
    ]


def test_one_success_among_the_first_trials_is_hope():
    brain = script(trials=100, alike_limit=2).running(4)
    brain.at(1, Failed(trial=0, error="KeyError"))
    brain.at(2, Finished(trial=1))
    assert brain.at(3, Failed(trial=2, error="KeyError")) == [Settle(2, FAILED, error="KeyError")]
    assert brain.at(4, Failed(trial=3, error="KeyError")) == [Settle(3, FAILED, error="KeyError")]


def test_different_errors_are_hope_too():
    brain = script(trials=100, alike_limit=2).running(3)
    brain.at(1, Failed(trial=0, error="KeyError"))
    brain.at(2, Failed(trial=1, error="ValueError"))
    assert brain.at(3, Failed(trial=2, error="ValueError")) == [Settle(2, FAILED, error="ValueError")]


def test_an_experiment_with_fewer_trials_than_the_limit_is_hopeless_when_all_fail_alike():
    brain = script(trials=1, alike_limit=3).running(1)
    assert brain.at(1, Failed(trial=0, error="KeyError")) == [
        Settle(0, FAILED, error="KeyError"),
        Conclude(HOPELESS, "KeyError"),
    ]


def test_trials_that_are_lost_alike_end_the_experiment_too():
    brain = script(trials=9, lost_limit=1, alike_limit=2).running(2)
    assert brain.at(1, Lost(0, "out of memory")) == [
        Fence(worker=0, trial=0),
        Settle(0, LOST, error="out of memory"),
    ]
    assert brain.at(2, Lost(1, "out of memory")) == [  # no fence: everyone is released
        Settle(1, LOST, error="out of memory"),
        Conclude(HOPELESS, "out of memory"),
    ]


def test_an_interrupted_experiment_hands_out_nothing_more_and_keeps_what_still_finishes():
    brain = script(trials=5).running(2)
    assert brain.at(1, Interrupted("Ctrl-C")) == [Conclude(INTERRUPTED, "Ctrl-C")]
    assert brain.at(2, Finished(trial=0)) == [Settle(0, FINISHED)]
    assert brain.at(3, Interrupted("Ctrl-C")) == []
    assert brain.at(4, Joined(2)) == []
    assert brain.at(5, Lost(1)) == []
    assert brain.deadline() == inf
    assert brain.brain.ending is INTERRUPTED


# --- what must not happen


def test_an_impossible_step_raises_with_the_story_of_the_trial():
    brain = script(trials=1).running(1)
    brain.at(1, Lost(0))
    brain.at(2.5, Joined(1))
    with pytest.raises(ImpossibleTransitionError) as caught:
        brain.brain._move(0, "handed to a worker", 3.0)  # no order of events leads here
    assert str(caught.value).splitlines() == [
        "trial 0 is running: 'handed to a worker' cannot happen",
        "  0.000 s: handed to a worker -> running",
        "  1.000 s: worker lost -> pending",
        "  2.500 s: handed to a worker -> running",
    ]
    assert caught.value.story[1] == "1.000 s: worker lost -> pending"


# --- set back: losses, errors and preemptions are counted apart


def test_a_preemption_is_no_loss_and_a_loss_no_preemption():
    brain = script(trials=2, lost_limit=2, preempted_limit=3).running(1)
    brain.at(1, ev.WorkerLost(worker=0, reason="SIGTERM", preempted=True))
    assert brain.at(1, Joined(1)) == [Run(trial=0, worker=1, attempt=1)]
    brain.at(2, Lost(1))
    assert brain.at(2, Joined(2)) == [Run(trial=0, worker=2, attempt=2)]
    brain.at(3, ev.WorkerLost(worker=2, reason="SIGTERM", preempted=True))
    assert brain.at(3, Joined(3)) == [Run(trial=0, worker=3, attempt=3)]
    assert brain.at(4, ev.WorkerLost(worker=3, reason="SIGTERM", preempted=True))[:2] == [
        Fence(worker=3, trial=0, attempt=3),
        Settle(0, LOST, error="SIGTERM (worker told to leave 3 times)"),
    ]


def test_an_error_is_tried_again_on_the_same_worker_where_the_user_allows_it():
    brain = script(trials=2, error_limit=2, alike_limit=9).running(1)
    assert brain.at(1, Failed(0)) == [Run(trial=0, worker=0, attempt=1)]
    assert brain.at(2, Finished(0, attempt=0)) == [], "the first attempt is over"
    assert brain.at(3, Failed(0, attempt=1)) == [Settle(0, FAILED, error="ValueError: bad lr"), Ask(1)]


def test_a_trial_that_was_told_to_stop_is_not_tried_again_when_it_raises():
    brain = script(trials=1, error_limit=5).running(1)
    brain.at(1, Judged(0, step=1, stop=True))
    assert brain.at(2, Failed(0))[0] == Settle(0, FAILED, error="ValueError: bad lr")


def test_a_trial_that_was_set_back_goes_before_those_that_never_ran():
    brain = script(trials=3, retry_s=60).running(2)
    brain.at(1, Lost(0))
    brain.at(1, Lost(1))
    assert brain.at(2, Joined(2)) == [Run(trial=1, worker=2, attempt=1)]
    assert brain.at(2, Joined(3)) == [Run(trial=0, worker=3, attempt=1)]


# --- a driver that takes over


def test_a_new_driver_runs_again_what_ran_and_counts_it_for_nothing():
    brain = script(trials=3, lost_limit=1).running(2)
    brain.at(1, Finished(0))
    brain.at(1, Suggested(ask=2, trial=2))
    assert brain.at(50, ev.DriverStarted(epoch=1, num_trials=3, lost_limit=1)) == [
        Fence(worker=1, trial=1, attempt=0),
        Fence(worker=0, trial=2, attempt=0),
    ]
    assert brain.at(51, Joined(7)) == [Run(trial=2, worker=7, attempt=1)]
    assert brain.at(51, Joined(8)) == [Run(trial=1, worker=8, attempt=1)]
    assert brain.at(52, Finished(2, attempt=0)) == [], "from the time of the old driver"


def test_a_trial_that_was_told_to_stop_needs_no_second_run_after_the_driver_is_lost():
    brain = script(trials=2).running(1)
    brain.at(1, Reported(trial=0, step=1, value=0.5, awaits=True))
    brain.at(1, Judged(0, step=1, stop=True))
    assert brain.at(2, ev.DriverStarted(epoch=1, num_trials=2)) == [
        Fence(worker=0, trial=0, attempt=0),
        Settle(0, STOPPED),
    ]


def test_an_interrupted_experiment_goes_on_under_a_new_driver():
    brain = script(trials=2).running(1)
    assert brain.at(1, Interrupted()) == [Conclude(Ending.INTERRUPTED, "Ctrl-C")]
    brain.at(2, ev.DriverStarted(epoch=1, num_trials=2))
    assert brain.at(3, Joined(1)) == [Run(trial=0, worker=1, attempt=1)]
    assert brain.at(4, Finished(0, attempt=1)) == [Settle(0, FINISHED), Ask(1)]


def test_an_experiment_that_is_complete_is_complete_under_a_new_driver_too_unless_it_gets_more_trials():
    brain = script(trials=1).running(1)
    brain.at(1, Finished(0))
    assert brain.at(2, ev.DriverStarted(epoch=1, num_trials=1)) == [Conclude(Ending.COMPLETE)]
    assert brain.at(3, ev.DriverStarted(epoch=2, num_trials=2)) == []
    assert brain.at(4, Joined(1)) == [Ask(1)]


def test_an_optimizer_that_had_no_more_is_asked_again_when_there_may_be_more_trials():
    brain = script(trials=5).running(1)
    brain.at(1, Finished(0))
    assert brain.at(1, Exhausted(ask=1)) == [Conclude(Ending.COMPLETE)]
    assert brain.at(2, ev.DriverStarted(epoch=1, num_trials=5)) == [Conclude(Ending.COMPLETE)]
    brain.at(3, ev.DriverStarted(epoch=2, num_trials=6))
    assert brain.at(4, Joined(1)) == [Ask(2)]


def test_an_experiment_without_hope_is_without_hope_under_a_new_driver_too():
    brain = script(trials=1).running(1)
    assert brain.at(1, Failed(0))[-1] == Conclude(HOPELESS, "ValueError: bad lr")
    assert brain.at(2, ev.DriverStarted(epoch=1, num_trials=1)) == [Conclude(HOPELESS)]


def test_the_time_of_a_pause_counts_for_nobody():
    brain = script(trials=1, patience_s=30, grace_s=10).running(1)
    brain.away(5, 0)
    brain.brain.rest(100)
    assert brain.deadline() == 115
    assert brain.at(114, Tick()) == []
    assert brain.at(115, Tick()) == [Fence(worker=0, trial=0)]


def test_a_checkpoint_counts_of_the_attempt_that_runs_or_of_the_last_while_nobody_runs_the_trial():
    brain = script(trials=1).running(1)
    counts = brain.brain.goes_on_from
    assert [counts(0, attempt) for attempt in (0, 1)] == [True, False]
    assert brain.at(1.0, Saved(trial=0)) == []
    brain.at(2.0, Lost(0))
    assert [counts(0, attempt) for attempt in (0, 1)] == [True, False]
    brain.at(3.0, Joined(1))
    assert [counts(0, attempt) for attempt in (0, 1)] == [False, True]
    brain.at(4.0, Finished(0, attempt=1))
    assert [counts(0, attempt) for attempt in (0, 1)] == [False, False]


# --- promotions


def test_a_trial_that_has_returned_runs_on_with_a_larger_budget_and_the_optimizer_says_when_it_is_over():
    brain = promoting(trials=2)
    assert brain.at(0, Joined(0)) == [Ask(0)]
    assert brain.at(0, Suggested(0, 0, lr=0.1, budget=1, resumable=True)) == [Run(0, 0, budget=1, lr=0.1)]
    assert brain.at(1, Finished(0)) == [Settle(0, FINISHED), Ask(1)]
    assert brain.at(1, Suggested(1, 1, lr=0.2, budget=1, resumable=True)) == [Run(1, 0, budget=1, lr=0.2)]
    assert brain.at(2, Finished(1)) == [Settle(1, FINISHED), Ask(2)], "all are tried, yet one may run on"
    assert brain.at(2, Promoted(2, 0, budget=3)) == [Run(0, 0, attempt=1, budget=3, lr=0.1)]
    assert (brain.brain.ended, brain.brain.tried) == ({FINISHED: 1}, 2)
    assert brain.at(5, Finished(0, attempt=0)) == [], "it has returned once already"
    assert brain.at(6, Finished(0, attempt=1)) == [Settle(0, FINISHED), Ask(3)]
    assert brain.at(6, Exhausted(3)) == [Conclude(COMPLETE)]
    assert (brain.brain.ended, brain.brain.tried, brain.brain.settled) == ({FINISHED: 2}, 2, 3)


def test_a_trial_may_be_promoted_as_often_as_the_optimizer_says_that_it_may():
    brain = rested(trials=1)
    assert brain.at(1, Promoted(1, 0, budget=3, resumable=True)) == [Run(0, 0, attempt=1, budget=3)]
    assert brain.at(2, Finished(0, attempt=1)) == [Settle(0, FINISHED), Ask(2)]
    assert brain.at(2, Promoted(2, 0, budget=9)) == [Run(0, 0, attempt=2, budget=9)]
    assert brain.at(3, Finished(0, attempt=2)) == [Settle(0, FINISHED), Ask(3)]


def test_a_promoted_trial_waits_its_turn_and_one_that_was_set_back_goes_first():
    brain = rested(trials=2)
    brain.at(1, Suggested(1, 1))
    brain.at(2, Finished(1))
    brain.at(2, Lost(0))
    assert brain.at(2, Promoted(2, 0, budget=3)) == []
    assert brain.at(3, Joined(1)) == [Run(0, 1, attempt=1, budget=3)]
    assert brain.at(4, Lost(1)) == [Fence(1, 0, attempt=1)]
    assert brain.at(5, Joined(2)) == [Run(0, 2, attempt=2, budget=3)]


def test_an_idle_optimizer_is_asked_again_when_a_promoted_trial_returns():
    brain = rested(trials=1)
    brain.at(1, Promoted(1, 0, budget=3, resumable=True))
    assert brain.at(1, Joined(1)) == [Ask(2)]
    assert brain.at(1, Idled(2)) == []
    assert brain.deadline() == 2
    assert brain.at(1.5, Finished(0, attempt=1)) == [Settle(0, FINISHED), Ask(3)]
    assert brain.at(1.5, Promoted(3, 0, budget=9)) == [Run(0, 1, attempt=2, budget=9), Ask(4)], "who waited longest"
    assert brain.at(1.5, Exhausted(4)) == []
    assert brain.at(2, Finished(0, attempt=2)) == [Settle(0, FINISHED), Conclude(COMPLETE)]


def test_what_fails_after_its_promotion_has_the_result_of_before():
    brain = promoted(trials=1)
    assert brain.at(2, Failed(0, "OSError", attempt=1)) == [
        Settle(0, FINISHED, error="OSError", fell_back=True),
        Ask(2),
    ]
    assert brain.brain.ended == {FINISHED: 1}


def test_what_is_lost_too_often_after_its_promotion_has_the_result_of_before_and_losses_are_counted_anew():
    brain = promoting(trials=1, lost_limit=2).running(1, resumable=True)
    brain.at(1, Lost(0))
    brain.at(1, Joined(1))
    brain.at(2, Finished(0, attempt=1))
    assert brain.at(2, Promoted(1, 0, budget=3)) == [Run(0, 1, attempt=2, budget=3)]
    assert brain.at(3, Lost(1)) == [Fence(1, 0, attempt=2)], "the loss of before does not count"
    brain.at(4, Joined(2))
    assert brain.at(5, Lost(2)) == [
        Fence(2, 0, attempt=3),
        Settle(0, FINISHED, error="killed (worker lost 2 times)", fell_back=True),
    ]
    assert brain.at(6, Joined(3)) == [Ask(2)]
    assert brain.at(6, Exhausted(2)) == [Conclude(COMPLETE)]


def test_what_a_rule_stops_after_its_promotion_has_its_result_of_before_unless_it_returned_all_the_same():
    for ends, fell_back in ((Left, True), (Finished, False)):
        brain = promoted(trials=1)
        brain.at(2, Judged(0, step=4, stop=True, attempt=1))
        assert brain.at(3, ends(0, attempt=1))[0] == Settle(0, FINISHED, fell_back=fell_back)
        assert brain.brain.ended == Counter({FINISHED: 1})


def test_what_was_told_to_stop_after_its_promotion_and_then_loses_its_worker_has_its_result_of_before():
    brain = promoted(trials=1)
    brain.at(2, Reported(0, step=4, value=0.5, attempt=1, awaits=True))
    brain.at(2, Judged(0, step=4, stop=True, attempt=1))
    assert brain.at(3, Lost(0)) == [Fence(0, 0, attempt=1), Settle(0, FINISHED, fell_back=True)]
    brain = promoted(trials=1)
    brain.at(2, Reported(0, step=4, value=nan, attempt=1, awaits=True))
    brain.at(2, Judged(0, step=4, stop=True, attempt=1))
    assert brain.at(3, Lost(0)) == [Fence(0, 0, attempt=1)]
    assert brain.at(4, Joined(1)) == [Run(0, 1, attempt=2, budget=3)]


def test_a_failure_after_a_promotion_takes_no_hope():
    brain = promoting(trials=2, alike_limit=1).running(1, resumable=True)
    brain.at(1, Finished(0))
    brain.at(1, Promoted(1, 0, budget=3))
    assert brain.at(2, Failed(0, attempt=1))[1] == Ask(2)


def test_a_new_driver_runs_on_what_was_promoted():
    brain = promoted(trials=2)  # trial 0 runs on
    brain.at(1, Joined(1))
    brain.at(1, Suggested(2, 1, resumable=True))
    brain.at(2, Finished(1))
    brain.at(2, Lost(1))
    brain.at(2, Promoted(3, 1, budget=3))  # and waits
    assert brain.at(50, Started(1, trials=2, promotes=True)) == [Fence(0, 0, attempt=1)]
    assert brain.at(51, Joined(2)) == [Run(0, 2, attempt=2, budget=3)]
    assert brain.at(51, Joined(3)) == [Run(1, 3, attempt=1, budget=3)]


def test_a_promoting_optimizer_that_had_no_more_is_asked_again_only_when_there_may_be_more_trials():
    brain = rested(trials=1)
    assert brain.at(1, Exhausted(1)) == [Conclude(COMPLETE)]
    assert brain.at(2, Started(1, trials=1, promotes=True)) == [Conclude(COMPLETE)]
    assert brain.at(3, Started(2, trials=2, promotes=True)) == []
    assert brain.at(4, Joined(1)) == [Ask(2)]
    assert brain.at(4, Promoted(2, 0, budget=3)) == [Run(0, 1, attempt=1, budget=3)]


def test_an_interrupted_promotion_runs_on_under_a_new_driver():
    brain = promoted(trials=1)
    assert brain.at(2, Interrupted()) == [Conclude(INTERRUPTED, "Ctrl-C")]
    assert brain.at(3, Started(1, trials=1, promotes=True)) == [Fence(0, 0, attempt=1)]
    assert brain.at(4, Joined(1)) == [Run(0, 1, attempt=2, budget=3)]


def test_a_run_that_has_returned_saves_nothing_more_that_counts_and_one_that_was_set_back_does():
    brain = rested(trials=1)
    brain.at(1, Lost(0))
    counts = brain.brain.goes_on_from
    assert [counts(0, attempt) for attempt in (0, 1)] == [False, False]
    brain.at(2, Promoted(1, 0, budget=3))
    assert [counts(0, attempt) for attempt in (0, 1)] == [False, False]
    brain.at(3, Joined(1))
    assert [counts(0, attempt) for attempt in (0, 1, 2)] == [False, True, False]
    brain.at(4, Lost(1))
    assert [counts(0, attempt) for attempt in (0, 1, 2)] == [False, True, False]


# --- studies that are stopped


def test_a_study_that_is_stopped_begins_nothing_more_and_tells_what_runs_to_stop():
    brain = script(trials=9).running(2)
    assert brain.at(1, Judged(0, step=1, stop=True)) == [Stop(0, 0)]
    assert brain.at(2, StudyStopped("enough")) == [Stop(1, 1, "enough")], "trial 0 knows already"
    assert brain.at(3, Joined(2)) == []
    assert brain.at(4, Left(0)) == [Settle(0, STOPPED)]
    assert brain.at(5, Finished(1)) == [Settle(1, FINISHED), Conclude(COMPLETE)]


def test_a_study_that_is_stopped_while_nothing_runs_is_over_at_once():
    brain = script(trials=2).running(1)
    brain.at(1, Finished(0))
    brain.at(1, Idled(1))
    assert brain.at(1.5, StudyStopped()) == [Conclude(COMPLETE)]
    assert brain.deadline() == inf


def test_what_waits_for_a_worker_when_the_study_is_stopped_waits_for_the_next_driver():
    brain = promoted(trials=3)  # trial 0 runs on
    brain.at(1, Joined(1))
    brain.at(1, Suggested(2, 1, resumable=True))
    brain.at(2, Finished(1))
    brain.at(2, Lost(1))
    brain.at(2, Promoted(3, 1, budget=3))
    brain.at(3, Joined(2))
    brain.at(3, Suggested(4, 2))
    brain.at(4, Lost(2))
    brain.at(4, Lost(0))  # 0 and 1 were promoted and wait, 2 never was
    assert brain.at(5, StudyStopped()) == [Conclude(COMPLETE)]
    assert brain.brain.tried == 2
    assert brain.at(50, Started(1, trials=3, promotes=True)) == []
    assert brain.at(51, StudyStopped()) == [Conclude(COMPLETE)], "it is asked first of all"
    assert brain.at(60, Started(2, trials=3, promotes=True)) == []
    assert brain.at(61, Joined(3)) == [Run(0, 3, attempt=2, budget=3)]
    assert brain.at(62, Finished(0, attempt=2)) == [
        Settle(0, FINISHED),
        Run(1, 3, attempt=2, budget=3),
    ]


def test_an_answer_that_comes_when_the_study_is_stopped_is_kept_for_the_next_driver():
    brain = script(trials=2).running(1)
    assert brain.at(1, Joined(1)) == [Ask(1)]
    assert brain.at(1, StudyStopped()) == [Stop(0, 0)]
    assert brain.at(2, Left(0)) == [Settle(0, STOPPED)], "not before it is known"
    assert brain.at(2, Suggested(1, 1)) == [Conclude(COMPLETE)]
    brain.at(3, Started(1, trials=2))
    assert brain.at(4, Joined(2)) == [Run(1, 2)]


def test_what_loses_its_worker_after_the_study_was_stopped_counts_by_what_it_reported():
    brain = script(trials=3, lost_limit=1, preempted_limit=2, alike_limit=1).running(3)
    brain.at(1, Reported(0, step=1, value=0.5))
    assert brain.at(2, StudyStopped()) == [Stop(0, 0), Stop(1, 1), Stop(2, 2)]
    assert brain.at(3, Lost(0)) == [Fence(0, 0), Settle(0, STOPPED)]
    assert brain.at(4, ev.WorkerLost(worker=1, reason="SIGTERM", preempted=True)) == [Fence(1, 1)]
    assert brain.at(5, Lost(2)) == [Fence(2, 2), Settle(2, LOST, error="killed"), Conclude(COMPLETE)]
    assert brain.at(6, Joined(3)) == []
    brain.at(7, Started(1, trials=3))
    assert brain.at(8, Joined(4)) == [Run(1, 4, attempt=1)]


def test_a_driver_that_dies_while_a_stopped_study_ends_is_no_failure_of_its_trials():
    brain = script(trials=2, alike_limit=1).running(2)
    brain.at(1, Reported(1, step=1, value=0.5))
    brain.at(1, StudyStopped())
    assert brain.at(2, Started(1, trials=2, alike_limit=1)) == [
        Fence(1, 1),
        Settle(1, STOPPED),
        Fence(0, 0),
    ]
    assert brain.at(3, StudyStopped()) == [Conclude(COMPLETE)]


def test_a_promoted_trial_that_is_told_to_stop_before_it_has_reported_has_not_lost_its_result():
    brain = promoted(trials=1)
    assert brain.at(2, StudyStopped("enough")) == [Stop(0, 0, "enough", attempt=1)]
    assert brain.at(3, Failed(0, "OSError", attempt=1)) == [
        Settle(0, FINISHED, error="OSError", fell_back=True),
        Conclude(COMPLETE),
    ]
    brain = promoted(trials=1)
    brain.at(2, StudyStopped())
    assert brain.at(3, Lost(0)) == [Fence(0, 0, attempt=1), Conclude(COMPLETE)]
    assert brain.brain.tried == 1


def test_an_experiment_that_was_interrupted_is_not_stopped_once_more():
    brain = script(trials=2).running(1)
    brain.at(1, Interrupted())
    assert brain.at(2, StudyStopped()) == []
    assert brain.at(3, Finished(0)) == [Settle(0, FINISHED)]


def promoting(trials, **rules):
    """An experiment whose optimizer promotes."""
    return script(trials, promotes=True, **rules)


def rested(trials):
    """Trial 0 has returned on worker 0, and the optimizer is being asked."""
    brain = promoting(trials).running(1, resumable=True)
    assert brain.at(1, Finished(0)) == [Settle(0, FINISHED), Ask(1)]
    return brain


def promoted(trials):
    """Trial 0 runs on, on worker 0."""
    brain = rested(trials)
    assert brain.at(1, Promoted(1, 0, budget=3)) == [Run(0, 0, attempt=1, budget=3)]
    return brain
