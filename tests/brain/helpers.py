"""A script plays an experiment by hand: at a time, an event, and what the brain commands."""

# ruff: noqa: N802  the functions stand for the events and commands that they make

from __future__ import annotations

from typing import Any

from maggy.brain import Brain, Rules
from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.trial import TrialState

# --- events, as short as the stories need them


def Joined(worker: int, seat: int | None = None, replaces: int | None = None, host: str = "") -> ev.WorkerJoined:
    return ev.WorkerJoined(worker=worker, seat=worker if seat is None else seat, replaces=replaces, host=host)


def Lost(worker: int, reason: str = "killed") -> ev.WorkerLost:
    return ev.WorkerLost(worker=worker, reason=reason)


def Started(epoch: int, trials: int, **rules: Any) -> ev.DriverStarted:
    return ev.DriverStarted(epoch=epoch, num_trials=trials, **rules)


def Missing(there: int, waited_s: float, *, over: bool = False) -> ev.WorkersMissing:
    return ev.WorkersMissing(there=there, waited_s=waited_s, over=over)


def Broke(trial: int, reason: str = "rank 0 lost touch", *, attempt: int = 0) -> ev.GangBroke:
    return ev.GangBroke(trial=trial, attempt=attempt, reason=reason)


def Suggested(
    ask: int, trial: int, *, budget: float | None = None, resumable: bool = False, **params: Any
) -> ev.Suggested:
    return ev.Suggested(ask=ask, trial=trial, params=params, budget=budget, resumable=resumable)


def Promoted(ask: int, trial: int, budget: float, *, resumable: bool = False) -> ev.Promoted:
    return ev.Promoted(ask=ask, trial=trial, budget=budget, reason="the best of 1", resumable=resumable)


def Idled(ask: int) -> ev.Idled:
    return ev.Idled(ask=ask)


def Exhausted(ask: int) -> ev.Exhausted:
    return ev.Exhausted(ask=ask)


def Reported(trial: int, step: int, value: float, *, attempt: int = 0, awaits: bool = False) -> ev.MetricsReported:
    return ev.MetricsReported(
        trial=trial, attempt=attempt, steps=[step], values=[value], awaits=step if awaits else None
    )


def Judged(trial: int, step: int, *, stop: bool, attempt: int = 0, reason: str = "") -> ev.Judged:
    return ev.Judged(trial=trial, attempt=attempt, step=step, stop=stop, reason=reason)


def Finished(trial: int, metric: float = 0.5, *, attempt: int = 0) -> ev.TrialFinished:
    return ev.TrialFinished(trial=trial, attempt=attempt, metric=metric)


def Left(trial: int, metric: float = 0.5, *, attempt: int = 0) -> ev.TrialStopped:
    return ev.TrialStopped(trial=trial, attempt=attempt, metric=metric)


def Failed(trial: int, error: str = "ValueError: bad lr", *, attempt: int = 0) -> ev.TrialFailed:
    return ev.TrialFailed(trial=trial, attempt=attempt, error=error, signature=error)


def Saved(trial: int, number: int = 0, *, attempt: int = 0) -> ev.CheckpointSaved:
    return ev.CheckpointSaved(trial=trial, attempt=attempt, number=number, step=None, size_bytes=1, seconds=0.5)


def StudyStopped(reason: str = "") -> ev.StudyStopped:
    return ev.StudyStopped(reason=reason)


def Interrupted(reason: str = "Ctrl-C") -> ev.Interrupted:
    return ev.Interrupted(reason=reason)


class Tick:
    """Time has gone by."""


# --- commands


def Ask(number: int) -> do.Ask:
    return do.Ask(number=number)


def Run(trial: int, worker: int, attempt: int = 0, budget: float | None = None, **params: Any) -> do.Run:
    return do.Run(worker=worker, trial=trial, attempt=attempt, budget=budget, params=params)


def RunGang(trial: int, *gang: int, attempt: int = 0, **params: Any) -> do.Run:
    return do.Run(worker=gang[0], trial=trial, attempt=attempt, params=params, gang=gang)


def Replace(worker: int, trial: int, attempt: int = 0) -> do.Replace:
    return do.Replace(worker=worker, trial=trial, attempt=attempt)


def Judge(trial: int, step: int, attempt: int = 0) -> do.Judge:
    return do.Judge(trial=trial, attempt=attempt, step=step)


def GoOn(trial: int, worker: int, step: int, attempt: int = 0) -> do.GoOn:
    return do.GoOn(worker=worker, trial=trial, attempt=attempt, step=step)


def Stop(trial: int, worker: int, reason: str = "", attempt: int = 0) -> do.Stop:
    return do.Stop(worker=worker, trial=trial, attempt=attempt, reason=reason)


def Fence(worker: int, trial: int, attempt: int = 0) -> do.Fence:
    return do.Fence(worker=worker, trial=trial, attempt=attempt)


def Settle(trial: int, state: TrialState, error: str | None = None, *, fell_back: bool = False) -> do.Settle:
    return do.Settle(trial=trial, state=state, error=error, fell_back=fell_back)


def Conclude(ending: do.Ending, reason: str = "") -> do.Conclude:
    return do.Conclude(ending=ending, reason=reason)


# --- the script


class Script:
    """A brain whose invariants are checked after everything that happens to it."""

    def __init__(self, rules: Rules) -> None:
        self.brain = Brain(rules)
        self._now = 0.0

    def at(self, now: float, event: ev.AnyEvent | Tick) -> list[do.AnyCommand]:
        """What the brain commands when it learns of an event."""
        assert now >= self._now, "a story is told in order"
        self._now = now
        events = self.brain.due(now) if isinstance(event, Tick) else [event]
        commands = [command for each in events for command in self.brain.handle(each, now)]
        check_invariants(self.brain)
        return commands

    def heard(self, now: float, worker: int) -> None:
        self.brain.heard(worker, now)
        check_invariants(self.brain)

    def away(self, now: float, worker: int) -> None:
        self.brain.away(worker, now)
        check_invariants(self.brain)

    def deadline(self) -> float:
        return self.brain.deadline()

    def running(self, trials: int, *, resumable: bool = False, **params: Any) -> Script:
        """Go on to where trial n runs on worker n, for so many trials."""
        for number in range(trials):
            assert self.at(self._now, Joined(number)) == [Ask(number)]
            suggested = Suggested(ask=number, trial=number, resumable=resumable, **params)
            assert self.at(self._now, suggested) == [Run(trial=number, worker=number, **params)]
        return self


def script(trials: int, **rules: Any) -> Script:
    """An experiment of so many trials."""
    return Script(Rules(num_trials=trials, **rules))


def check_invariants(brain: Brain) -> None:
    """What holds between any two events, whatever happened."""
    for number, worker in brain.workers.items():
        places = [worker.parked, number in brain._idle, worker.trial is not None]
        assert places.count(True) == 1, f"worker {number} is in {places.count(True)} places at once"
        assert worker.parked == (brain._seats[worker.seat] != number), f"worker {number} shares a seat"
    assert set(brain._seats.values()) <= set(brain.workers), "a seat is held by a worker that is gone"
    assert set(brain._idle) <= set(brain.workers), "a worker that is gone counts as idle"

    leased = {number: worker.trial for number, worker in brain.workers.items() if worker.trial is not None}
    held = [number for live in brain.live.values() for number in live.gang]
    assert len(set(held)) == len(held), "a worker runs two trials"
    assert leased == {number: trial for trial, live in brain.live.items() for number in live.gang}
    for trial, live in brain.live.items():
        assert not live.state.final
        waits = live.state is TrialState.PENDING
        assert waits == (live.gang == ()), f"trial {trial} is {live.state} and has workers {live.gang}"
        if not waits:
            assert brain.rules.min_workers <= len(live.gang) <= brain.rules.workers_per_trial, "part of a gang"
        assert list(brain._queue).count(trial) == waits, f"trial {trial} is {live.state}"
    assert len(brain._queue) == len(set(brain._queue) & set(brain.live)), "a trial that has ended waits for a worker"

    assert set(brain.live).isdisjoint(brain._resting), "a trial runs and may be promoted"
    assert len(brain._resting) <= brain.ended[TrialState.FINISHED]

    assert brain.suggested == len(brain.live) + brain.ended.total(), "a trial was lost count of"
    assert all(state.final for state in brain.ended)
    assert brain.rules.promotes or brain.suggested + brain._asking <= brain.rules.num_trials
    if brain.ending is None and brain._study_over:
        assert len(brain.live) > len(brain._queue) or brain._asking, "nothing runs and nobody has said that it is over"
    elif brain.ending is None:
        enough = len(brain._idle) >= brain._gang_size()
        assert not (enough and brain._queue), "workers and a trial wait for each other"
        assert not (enough and brain._may_ask()), "workers wait although there is something to ask for"
        assert brain._too_few() == (brain._shortage.since is not None), "nobody notices how long a trial waits"
        assert not brain._nothing_left(), "everything has ended and nobody has said so"
        assert all(brain._liveness.check_at <= brain._liveness.overdue_at(worker) for worker in brain.workers.values())
