"""What several ranks say, made into what one worker would have said."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maggy.brain import events as ev
from maggy.brain.commands import Run, Stop
from maggy.driver.gangs import Gangs, combined, places
from maggy.wire import messages as msg


class Ranks:
    """Trial 3 on workers 10, 11, ..., by rank."""

    def __init__(self, size: int = 2, combine: str = "mean") -> None:
        self.told: list[tuple[int, msg.FromDriver]] = []
        self.logged: list[str] = []
        self.over = False
        self.gangs = Gangs(
            tell=lambda worker, message: self.told.append((worker, message)),
            log=lambda trial, lines: self.logged.extend(lines),
            holds=lambda trial, attempt: (trial, attempt) == (3, 0) and not self.over,
            combine=combine,
            timeout_s=60.0,
        )
        gang = tuple(range(10, 10 + size))
        self.gangs.begin(Run(worker=10, trial=3, attempt=0, params={}, gang=gang))

    def say(self, rank: int, message: msg.ToDriver, now: float = 0.0) -> list[ev.AnyEvent]:
        hear = self.gangs.gather if isinstance(message, msg.Gather) else self.gangs.hear
        return list(hear(10 + rank, message, now))

    def reports(self, rank: int, *points: tuple[int, float], awaits: int | None = None) -> list[ev.AnyEvent]:
        return self.say(rank, msg.Metrics(3, 0, [s for s, _ in points], [v for _, v in points], awaits))

    def holds(self, rank: int, broadcast: int) -> list[ev.AnyEvent]:
        return list(self.gangs.held(10 + rank, msg.Held(3, 0, broadcast)))

    def gathers(self, rank: int, *part: float, number: int = 0, what: str = "mean", now: float = 0.0):
        return self.say(rank, msg.Gather(3, 0, number, what, list(part)), now)


def reported(*points: tuple[int, float], awaits: int | None = None) -> ev.MetricsReported:
    return ev.MetricsReported(
        trial=3, attempt=0, steps=[s for s, _ in points], values=[v for _, v in points], awaits=awaits
    )


def test_a_point_counts_when_every_rank_has_reported_it():
    ranks = Ranks()
    assert ranks.reports(0, (0, 1.0), (1, 2.0)) == []
    assert ranks.reports(1, (0, 3.0)) == [reported((0, 2.0))]
    assert ranks.reports(1, (1, 4.0), (2, 5.0)) == [reported((1, 3.0))]
    assert ranks.reports(0, (2, 7.0)) == [reported((2, 6.0))]


def test_a_verdict_is_asked_for_once_when_all_ranks_wait_for_it():
    ranks = Ranks()
    assert ranks.reports(1, (1, 1.0), awaits=1) == []
    assert ranks.reports(0, (1, 1.0), awaits=1) == [reported((1, 1.0), awaits=1)]
    assert ranks.reports(0, (2, 1.0)) == []
    assert ranks.reports(1, (2, 1.0), (3, 1.0), awaits=3) == [reported((2, 1.0))]
    assert ranks.reports(0, (3, 1.0), awaits=3) == [reported((3, 1.0), awaits=3)]


def test_ranks_that_report_different_steps_fail_the_trial_with_what_they_did():
    ranks = Ranks()
    ranks.reports(0, (0, 1.0), (1, 1.0))
    first, failed = ranks.reports(1, (0, 1.0), (5, 1.0)), None
    [failed] = first
    assert isinstance(failed, ev.TrialFailed)
    assert "rank 0 step 1, rank 1 step 5" in failed.error


def test_with_first_only_rank_0_counts_and_nobody_waits_for_the_others():
    ranks = Ranks(combine="first")
    assert ranks.reports(1, (0, 9.0)) == []
    assert ranks.reports(0, (0, 1.0), awaits=0) == [reported((0, 1.0), awaits=0)]


def test_a_trial_has_ended_when_every_rank_has():
    ranks = Ranks()
    assert ranks.say(1, msg.Finished(3, 0, 0.4, {"Metric": 0.4, "loss": 2.0, "name": "b", "only here": 1})) == []
    assert ranks.say(0, msg.Finished(3, 0, 0.2, {"Metric": 0.2, "loss": 4.0, "name": "a"})) == [
        ev.TrialFinished(
            trial=3,
            attempt=0,
            metric=pytest.approx(0.3),
            outputs={"Metric": pytest.approx(0.3), "loss": 3.0, "name": "a"},
        )
    ]


def test_a_trial_that_one_rank_left_at_a_stop_was_stopped():
    ranks = Ranks()
    assert ranks.say(0, msg.Stopped(3, 0, 1.0)) == []
    assert ranks.say(1, msg.Finished(3, 0, 3.0)) == [ev.TrialStopped(trial=3, attempt=0, metric=2.0)]


def test_points_without_a_counterpart_are_left_out_and_the_log_says_so():
    ranks = Ranks()
    ranks.reports(0, (0, 1.0), (1, 1.0))
    ranks.say(0, msg.Finished(3, 0, 1.0))
    ranks.say(1, msg.Finished(3, 0, 1.0))
    assert ranks.logged == ["[maggy] points that not every rank has reported are left out: rank 0 2"]


def test_the_error_of_a_rank_names_it():
    ranks = Ranks()
    [failed] = ranks.say(1, msg.Failed(3, 0, "ValueError: bad", "ValueError at train.py:3", "Traceback ..."))
    assert (failed.error, failed.signature) == ("rank 1: ValueError: bad", "ValueError at train.py:3")


def test_a_rank_that_only_lost_touch_is_not_the_cause_while_the_true_one_may_come():
    ranks = Ranks()
    lost = msg.Failed(3, 0, "RuntimeError: Connection reset by peer", "", "", peer_lost=True)
    assert list(ranks.gangs.hear(10, lost, 5.0)) == []
    assert ranks.gangs.deadline() == 6.0
    assert ranks.gangs.due(5.9) == []
    [failed] = ranks.say(1, msg.Failed(3, 0, "ValueError: bad", "", ""))
    assert failed.error == "rank 1: ValueError: bad"


def test_if_no_other_cause_comes_the_gang_has_lost_touch():
    ranks = Ranks()
    lost = msg.Failed(3, 0, "RuntimeError: Connection reset by peer", "", "", peer_lost=True)
    list(ranks.gangs.hear(10, lost, 2.0))
    ranks.gangs.rest(3.0)  # in which nobody was heard
    assert ranks.gangs.due(5.9) == []
    [broke] = ranks.gangs.due(6.0)
    assert broke == ev.GangBroke(
        trial=3, attempt=0, reason="rank 0 lost touch with the others: RuntimeError: Connection reset by peer"
    )
    ranks.over = True
    assert ranks.gangs.due(7.0) == [] and ranks.gangs.deadline() == inf


# --- gathers


def test_parts_are_given_out_in_order_of_rank_when_all_are_there():
    ranks = Ranks()
    assert ranks.gathers(1, 3.0, 4.0) == []
    assert ranks.told == []
    assert ranks.gathers(0, 1.0, 2.0) == []
    assert ranks.told == [(worker, msg.Gathered(3, 0, [[1.0, 2.0], [3.0, 4.0]])) for worker in (10, 11)]
    assert ranks.gangs.deadline() == inf


def test_a_rank_that_does_not_come_is_named_when_the_time_is_over():
    ranks = Ranks(size=3)
    ranks.gathers(1, 3.0, now=2.0)
    assert ranks.gangs.deadline() == 62.0
    ranks.gangs.rest(5.0)
    assert ranks.gangs.due(66.9) == []
    [broke] = ranks.gangs.due(67.0)
    assert broke.reason == (
        "ranks 0, 2 did not come to 'mean' within 60 s (collective_timeout_s), where the others wait"
    )


def test_ranks_at_different_places_fail_the_trial_at_once():
    ranks = Ranks()
    ranks.gathers(0, what="mean")
    [failed] = ranks.gathers(1, what="end")
    assert "rank 0 is at 'mean', rank 1 is at 'end'" in failed.error


@pytest.mark.parametrize("first", ["return", "gather"])
def test_a_rank_that_returns_while_another_waits_for_it_fails_the_trial_at_once(first):
    ranks = Ranks()
    said = [lambda: ranks.say(1, msg.Finished(3, 0, 1.0)), lambda: ranks.gathers(0)]
    if first == "gather":
        said.reverse()
    assert said[0]() == []
    [failed] = said[1]()
    assert "rank 0 is at 'mean', rank 1 has returned" in failed.error


def test_a_rank_that_does_not_end_while_the_others_have_is_named():
    ranks = Ranks()
    ranks.say(0, msg.Finished(3, 0, 1.0), now=1.0)
    [broke] = ranks.gangs.due(61.0)
    assert broke.reason.startswith("rank 1 did not end within 60 s")


# --- stops


def stop() -> Stop:
    return Stop(worker=10, trial=3, attempt=0, reason="enough")


def test_a_stop_comes_at_the_first_broadcast_that_no_rank_has_passed():
    ranks = Ranks()
    ranks.gangs.stop(stop(), 0.0)
    assert ranks.told == [(worker, msg.HoldTrial(3, 0)) for worker in (10, 11)]
    ranks.told.clear()
    assert ranks.holds(1, 8) == []
    assert ranks.told == []
    assert ranks.holds(0, 7) == []
    assert ranks.told == [(worker, msg.StopTrial(3, 0, 8)) for worker in (10, 11)]
    assert ranks.gangs.deadline() == inf


def test_with_first_a_stop_ends_the_ranks_that_never_broadcast_and_lets_those_leave_that_do():
    ranks = Ranks(combine="first")
    ranks.gangs.stop(stop(), 0.0)
    ranks.told.clear()
    assert ranks.holds(1, 0) == []
    [broke] = ranks.holds(0, 3)
    assert isinstance(broke, ev.GangBroke) and "rank 1 does not broadcast" in broke.reason
    assert ranks.told == []

    ranks = Ranks(combine="first")
    ranks.gangs.stop(stop(), 0.0)
    assert ranks.holds(0, 3) == ranks.holds(1, 2) == []
    assert ranks.told[-1] == (11, msg.StopTrial(3, 0, 3))


def test_a_rank_that_has_returned_is_not_waited_for_and_the_others_return_too():
    ranks = Ranks()
    ranks.say(0, msg.Finished(3, 0, 1.0))
    ranks.gangs.stop(stop(), 0.0)
    ranks.told.clear()
    assert ranks.holds(1, 7) == []
    [(_, told), _] = ranks.told
    assert told.broadcast > 2**61
    assert ranks.say(1, msg.Finished(3, 0, 1.0)) == [ev.TrialFinished(trial=3, attempt=0, metric=1.0)]


def test_a_rank_that_returns_instead_of_an_answer_lets_the_others_go_on():
    ranks = Ranks()
    ranks.gangs.stop(stop(), 0.0)
    assert ranks.holds(1, 7) == []
    ranks.told.clear()
    ranks.say(0, msg.Finished(3, 0, 1.0))
    assert [worker for worker, _ in ranks.told] == [10, 11]


def test_a_rank_that_does_not_say_where_it_is_is_named():
    ranks = Ranks()
    ranks.gangs.stop(stop(), 0.0)
    assert ranks.holds(0, 7) == []
    [broke] = ranks.gangs.due(60.0)
    assert broke.reason == "rank 1 did not answer within 60 s (collective_timeout_s)"


# --- what is nobody's


def test_a_trial_on_one_worker_passes_through():
    ranks = Ranks()
    assert list(ranks.gangs.hear(5, msg.Finished(4, 0, 1.0), 0.0)) == [ev.TrialFinished(trial=4, attempt=0, metric=1.0)]
    assert ranks.gangs.workers(4, 0) == ()


def test_a_worker_that_is_not_of_the_gang_is_not_heard():
    ranks = Ranks()
    assert list(ranks.gangs.hear(99, msg.Finished(3, 0, 1.0), 0.0)) == []
    assert list(ranks.gangs.gather(99, msg.Gather(3, 0, 0, "mean", []), 0.0)) == []
    assert list(ranks.gangs.held(99, msg.Held(3, 0, 1))) == []
    assert ranks.told == []


def test_only_the_checkpoints_of_rank_0_count():
    ranks = Ranks()
    saved = msg.CheckpointSaved(3, 0, 0, 5, 100, 0.1)
    assert ranks.say(1, saved) == []
    assert [type(event) for event in ranks.say(0, saved)] == [ev.CheckpointSaved]


def test_a_checkpoint_counts_when_every_rank_has_reported_the_points_before_it():
    """Who goes on from it reports them not again."""
    ranks = Ranks()
    saved = msg.CheckpointSaved(3, 0, 0, 5, 100, 0.1)
    ranks.reports(0, (0, 1.0))
    ranks.reports(1, (0, 1.0))
    ranks.reports(0, (1, 1.0), (2, 1.0))
    assert ranks.say(0, saved) == []
    assert ranks.reports(0, (3, 1.0)) == []
    assert ranks.reports(1, (1, 1.0)) == [reported((1, 1.0))]
    point, event = ranks.reports(1, (2, 1.0))
    assert (point, type(event)) == (reported((2, 1.0)), ev.CheckpointSaved)


def test_a_rank_that_reports_nothing_keeps_no_checkpoint_waiting():
    ranks = Ranks()
    ranks.reports(0, (0, 1.0))
    assert [type(event) for event in ranks.say(0, msg.CheckpointSaved(3, 0, 0, 5, 100, 0.1))] == [ev.CheckpointSaved]


def test_a_checkpoint_that_waits_counts_before_the_end():
    ranks = Ranks()
    ranks.reports(1, (0, 1.0))
    ranks.reports(0, (0, 1.0), (1, 1.0))
    assert ranks.say(0, msg.CheckpointSaved(3, 0, 0, 5, 100, 0.1)) == []
    ranks.say(0, msg.Finished(3, 0, 1.0))
    assert [type(event) for event in ranks.say(1, msg.Finished(3, 0, 1.0))] == [ev.CheckpointSaved, ev.TrialFinished]


# --- numbers


def test_places_count_within_each_host():
    assert places(["a", "a", "b"]) == [msg.Place(0, 3, 0, 2), msg.Place(1, 3, 1, 2), msg.Place(2, 3, 0, 1)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_each_way_of_combining_does_what_it_says(values):
    assert combined(values, "min") == min(values)
    assert combined(values, "max") == max(values)
    assert combined(values, "first") == values[0]
    assert combined(values, "sum") == sum(values)
    assert min(values) - 1e-9 <= combined(values, "mean") <= max(values) + 1e-9


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 7))
def test_equal_values_stay_as_they_are_to_the_last_bit(value, size):
    assert combined([value] * size, "mean") == value
