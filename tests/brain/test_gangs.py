"""Trials that need several workers at once."""

from __future__ import annotations

import pytest
from brain.helpers import (
    Ask,
    Broke,
    Conclude,
    Failed,
    Fence,
    Finished,
    Joined,
    Judge,
    Judged,
    Left,
    Lost,
    Missing,
    Replace,
    Reported,
    RunGang,
    Script,
    Settle,
    Started,
    Stop,
    StudyStopped,
    Suggested,
    Tick,
    check_invariants,
    script,
)
from hypothesis import given
from hypothesis import strategies as st

from maggy.brain.commands import Ending
from maggy.brain.gang import choose
from maggy.brain.state import Rules, Worker
from maggy.trial import TrialState


def pairs(trials: int, **rules) -> Script:
    """Trials on two workers each."""
    return script(trials, **{"workers_per_trial": 2, "min_workers": 2, "workers_timeout_s": 60.0, **rules})


def running(trials: int, **rules) -> Script:
    """Trial 0 runs on workers 0 and 1."""
    story = pairs(trials, **rules)
    assert story.at(0, Joined(0)) == []
    assert story.at(0, Joined(1)) == [Ask(0)]
    assert story.at(0, Suggested(0, 0)) == [RunGang(0, 0, 1)]
    return story


def test_a_trial_begins_when_all_its_workers_are_there_and_holds_none_before():
    story = pairs(2)
    assert story.at(0, Joined(0)) == []
    assert story.at(1, Joined(1)) == [Ask(0)]
    assert story.at(2, Suggested(0, 0, lr=0.1)) == [RunGang(0, 0, 1, lr=0.1)]
    assert story.at(3, Finished(0)) == [Settle(0, TrialState.FINISHED), Ask(1)]
    assert story.at(4, Suggested(1, 1)) == [RunGang(1, 0, 1)]
    assert story.at(5, Finished(1))[-1] == Conclude(Ending.COMPLETE)


def test_two_trials_that_want_the_same_workers_do_not_take_half_each():
    story = running(3)
    assert story.at(1, Joined(2)) == []
    assert story.at(2, Joined(3)) == [Ask(1)]
    assert story.at(2, Suggested(1, 1)) == [RunGang(1, 2, 3)]
    assert story.at(3, Lost(1)) == [Fence(1, 0), Replace(0, 0)]
    assert story.at(4, Lost(3)) == [Fence(3, 1), Replace(2, 1)]
    assert story.at(5, Joined(4, seat=0)) == []
    # The trial that was set back last waits in front.
    assert story.at(6, Joined(5, seat=1)) == [RunGang(1, 4, 5, attempt=1)]
    assert story.at(7, Joined(6, seat=2)) == []
    assert story.at(8, Joined(7, seat=3)) == [RunGang(0, 6, 7, attempt=1)]


def test_the_loss_of_one_worker_sets_the_trial_back_and_replaces_the_others():
    story = running(1, lost_limit=2)
    assert story.at(1, Lost(1, "rank 1: killed")) == [Fence(1, 0), Replace(0, 0)]
    assert story.at(2, Joined(2, seat=0)) == []
    assert story.at(2, Joined(3, seat=1)) == [RunGang(0, 2, 3, attempt=1)]
    # Worker 0 of the first attempt has something to say yet; nobody listens.
    assert story.at(3, Finished(0, attempt=0)) == []
    settle, conclude = story.at(4, Lost(2, "rank 0: killed"))
    assert settle == Settle(0, TrialState.LOST, "rank 0: killed (worker lost 2 times)")
    assert conclude.ending is Ending.HOPELESS


def test_a_gang_that_lost_touch_is_replaced_whole_and_the_trial_runs_again():
    story = running(2)
    assert story.at(1, Broke(0)) == [Replace(0, 0), Replace(1, 0)]
    assert story.at(1, Broke(0)) == []
    assert story.at(2, Joined(2)) == []
    assert story.at(2, Joined(3)) == [RunGang(0, 2, 3, attempt=1)]


def test_an_error_on_one_rank_fails_the_trial_and_the_others_may_hang_so_all_are_replaced():
    story = running(2, alike_limit=3)
    assert story.at(1, Failed(0)) == [
        Replace(0, 0),
        Replace(1, 0),
        Settle(0, TrialState.FAILED, "ValueError: bad lr"),
    ]
    assert story.at(2, Joined(2)) == []
    assert story.at(2, Joined(3)) == [Ask(1)]


def test_an_error_that_may_be_tried_again_is_tried_on_fresh_workers():
    story = running(1, error_limit=2)
    assert story.at(1, Failed(0)) == [Replace(0, 0), Replace(1, 0)]
    assert story.at(2, Joined(2)) == []
    assert story.at(2, Joined(3)) == [RunGang(0, 2, 3, attempt=1)]


def test_where_a_process_is_good_for_one_trial_only_it_is_replaced_after_it():
    story = running(2, fresh=True)
    assert story.at(1, Finished(0)) == [Replace(0, 0), Replace(1, 0), Settle(0, TrialState.FINISHED)]
    story.at(2, Joined(2))
    assert story.at(2, Joined(3)) == [Ask(1)]
    assert story.at(2, Suggested(1, 1)) == [RunGang(1, 2, 3)]
    # Nobody is replaced when it is over.
    assert story.at(3, Finished(1)) == [Settle(1, TrialState.FINISHED), Conclude(Ending.COMPLETE)]


def test_a_stop_is_for_the_whole_gang_and_leaves_it_ready_for_the_next_trial():
    story = running(2)
    assert story.at(1, Reported(0, 1, 0.5, awaits=True)) == [Judge(0, 1)]
    assert story.at(1, Judged(0, 1, stop=True)) == [Stop(0, worker=0)]
    assert story.at(2, Left(0)) == [Settle(0, TrialState.STOPPED), Ask(1)]


def test_the_end_of_the_study_stops_a_gang_too():
    story = running(2)
    assert story.at(1, StudyStopped("enough")) == [Stop(0, worker=0, reason="enough")]
    assert story.at(2, Left(0))[-1] == Conclude(Ending.COMPLETE)


def test_a_gang_that_was_told_to_stop_and_breaks_then_has_its_result():
    story = running(2)
    story.at(1, Reported(0, 1, 0.5, awaits=True))
    story.at(1, Judged(0, 1, stop=True))
    assert story.at(2, Lost(0)) == [Fence(0, 0), Replace(1, 0), Settle(0, TrialState.STOPPED)]


# --- too few workers


def test_a_trial_that_waits_for_workers_that_are_not_there_is_reported_and_then_given_up():
    story = pairs(1)
    story.at(0, Joined(0))
    assert story.deadline() == 10.0
    assert story.brain.due(10.0) == [Missing(1, 10.0)]
    assert story.at(10, Missing(1, 10.0)) == []
    assert story.deadline() == 60.0
    assert story.brain.due(60.0) == [Missing(1, 60.0, over=True)]
    [conclude] = story.at(60, Missing(1, 60.0, over=True))
    assert conclude == Conclude(Ending.SHORTHANDED, "a trial needs 2 workers, and after 60 s there were 1")
    assert story.brain.due(61.0) == []


def test_a_worker_that_comes_ends_the_wait():
    story = pairs(1)
    story.at(0, Joined(0))
    assert story.at(9, Joined(1)) == [Ask(0)]
    assert story.deadline() == float("inf")


def test_workers_that_are_busy_with_another_trial_are_there():
    story = running(4)
    story.at(1, Joined(2))
    assert story.deadline() == float("inf")


def test_a_trial_goes_on_with_fewer_workers_where_that_is_allowed_and_with_all_when_they_are_back():
    story = pairs(3, workers_per_trial=3, min_workers=2)
    for worker in range(3):
        commands = story.at(0, Joined(worker))
    assert commands == [Ask(0)]
    assert story.at(0, Suggested(0, 0)) == [RunGang(0, 0, 1, 2)]
    story.at(1, Lost(2))
    story.at(2, Joined(3, seat=0))
    story.at(3, Joined(4, seat=1))
    assert story.at(11, Tick()) == []  # reported
    assert story.at(61, Tick()) == [RunGang(0, 3, 4, attempt=1)]
    assert story.at(62, Finished(0, attempt=1)) == [Settle(0, TrialState.FINISHED), Ask(1)]
    assert story.at(62, Suggested(1, 1)) == [RunGang(1, 3, 4)]
    story.at(63, Joined(5, seat=2))
    assert story.at(64, Finished(1)) == [Settle(1, TrialState.FINISHED), Ask(2)]
    assert story.at(64, Suggested(2, 2)) == [RunGang(2, 3, 4, 5)]


def test_fewer_workers_than_are_allowed_are_too_few():
    story = pairs(1, workers_per_trial=3, min_workers=2)
    story.at(0, Joined(0))
    story.at(10, Tick())
    [conclude] = story.at(60, Tick())
    assert conclude.ending is Ending.SHORTHANDED


def test_time_in_which_the_driver_heard_nobody_does_not_count_as_waiting():
    story = pairs(1)
    story.at(0, Joined(0))
    story.brain.rest(100.0)
    assert story.deadline() == 110.0


def test_a_resumed_driver_waits_anew():
    story = pairs(1)
    story.at(0, Joined(0))
    story.at(10, Tick())
    story.at(20, Started(1, 1, workers_per_trial=2, min_workers=2))
    assert story.deadline() == float("inf")  # until the first is there, which is the engine's business
    story.at(30, Joined(1))
    assert story.deadline() == 40.0


def test_what_is_lost_with_its_driver_is_set_back_once():
    story = running(1)
    commands = story.at(1, Started(1, 1, workers_per_trial=2, min_workers=2))
    assert commands == [Fence(1, 0), Replace(0, 0)]
    story.at(2, Joined(2))
    assert story.at(2, Joined(3)) == [RunGang(0, 2, 3, attempt=1)]


# --- who


@pytest.mark.parametrize(
    ("hosts", "size", "chosen"),
    [
        (["a", "b", "a", "b"], 2, (0, 2)),
        (["a", "b", "b"], 2, (1, 2)),
        (["a", "a", "a", "b", "b"], 2, (3, 4)),  # the larger host is left for a larger gang
        (["a", "b", "c", "b"], 3, (1, 3, 0)),
        (["a", "b"], 1, (0,)),
    ],
)
def test_ranks_are_ordered_by_host_and_spread_over_few(hosts, size, chosen):
    workers = {number: Worker(seat=number, heard_at=0.0, host=host) for number, host in enumerate(hosts)}
    assert choose(dict.fromkeys(workers), workers, size) == chosen


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.data())
def test_a_gang_is_whole_and_its_hosts_are_contiguous(hosts, data):
    size = data.draw(st.integers(1, len(hosts)))
    workers = {number: Worker(seat=-number, heard_at=0.0, host=host) for number, host in enumerate(hosts)}
    gang = choose(dict.fromkeys(workers), workers, size)
    assert len(gang) == len(set(gang)) == size
    order = [workers[number].host for number in gang]
    assert [order.index(host) for host in order] == sorted(order.index(host) for host in order)


def test_one_worker_per_trial_is_as_ever():
    story = Script(Rules(num_trials=1))
    story.at(0, Joined(0))
    [run] = story.at(0, Suggested(0, 0))
    assert run.gang == ()
    check_invariants(story.brain)
