"""Who ran what when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maggy.brain import Brain
from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.trial import TrialState

_ENDS = ev.TrialFinished | ev.TrialStopped | ev.TrialFailed
_CROWD_CHANGES = ev.WorkerJoined | ev.WorkerLost | ev.GangBroke | ev.DriverStarted


@dataclass(slots=True)
class Span:
    """A worker on an attempt of a trial.

    start, end  seconds since the epoch; `end` is None while it runs
    state       what came of the trial by it; None while it runs, or if the trial was set back
    """

    trial: int
    attempt: int
    worker: int
    start: float
    end: float | None = None
    state: TrialState | None = None


class Spans:
    """Follows the machine and keeps who runs what since when.

    keep  whether `closed` keeps the spans that are over, which takes memory for each trial

    closed    spans that are over, in that order
    open      those of the trials that run, by trial
    busy_s    seconds that workers have spent on trials, all together, spans that are over
    there_s   seconds that workers were there that are gone
    since     since when each worker is there
    heard_t   when the driver was last told something; 0 before. A driver that takes over answers what was left open
              before it says that it is there, and by then nobody has worked for a while
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self.closed: list[Span] = []
        self.open: dict[int, list[Span]] = {}
        self.busy_s = self.there_s = 0.0
        self.since: dict[int, float] = {}
        self.heard_t = 0.0

    def follow(self, event: ev.AnyEvent, t: float, commands: Sequence[do.AnyCommand], brain: Brain) -> list[Span]:
        """Take in what the machine made of an event; returns the spans that are over by it."""
        ended_at = self.heard_t if isinstance(event, ev.DriverStarted) and self.heard_t else t
        if not isinstance(event, ev.Answer):
            self.heard_t = t
        over: list[Span] = []
        if isinstance(event, _ENDS) and any(span.attempt == event.attempt for span in self.open.get(event.trial, ())):
            over += self._close(event.trial, ended_at)
        crowd_changes = isinstance(event, _CROWD_CHANGES)
        for command in commands:
            match command:
                case do.Fence() | do.Replace():
                    over += self._close(command.trial, ended_at)
                    crowd_changes = True
                case do.Settle():
                    over += self._close(command.trial, ended_at)
                    for span in over:
                        span.state = command.state
                case do.Run():
                    gang = command.gang or (command.worker,)
                    self.open[command.trial] = [Span(command.trial, command.attempt, each, t) for each in gang]
        if crowd_changes:
            self._see_who_is_there(brain, t, ended_at)
        return over

    def utilisation(self, now: float) -> float | None:
        """Which part of their time the workers have spent on trials; None before anybody was there."""
        there = self.there_s + sum(now - since for since in self.since.values())
        busy = self.busy_s + sum(now - span.start for spans in self.open.values() for span in spans)
        return min(1.0, busy / there) if there > 0 else None

    def _close(self, trial: int, t: float) -> list[Span]:
        spans = self.open.pop(trial, [])
        for span in spans:
            span.end = max(span.start, t)
            self.busy_s += span.end - span.start
        if self._keep:
            self.closed += spans
        return spans

    def _see_who_is_there(self, brain: Brain, t: float, left_at: float) -> None:
        for worker in self.since.keys() - brain.workers.keys():
            self.there_s += max(0.0, left_at - self.since.pop(worker))
        for worker in brain.workers.keys() - self.since.keys():
            self.since[worker] = t
