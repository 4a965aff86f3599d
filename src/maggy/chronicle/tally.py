"""Where an experiment stands, in numbers that take no memory for each trial, but where trials are promoted."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from maggy.brain import Brain, Rules
from maggy.brain import events as ev
from maggy.brain.commands import AnyCommand, Ending, Settle
from maggy.chronicle.about import About
from maggy.chronicle.spans import Span, Spans
from maggy.journal import Record
from maggy.trial import Direction, TrialState

_RECENT = 50  # trials that time is estimated from: early stopping makes later ones shorter
_FEWEST = 3  # before so many have ended, nobody knows
_SURE = 1.645  # standard deviations to each side: nine of ten times it is within


@dataclass(frozen=True, slots=True)
class Best:
    """A trial that was better than all others when it came, or when the best before it became worse at a larger budget.

    t       when it came, in seconds since the epoch
    metric  in the user's sign
    """

    t: float
    trial: int
    metric: float


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """How long an experiment goes on, in seconds: an estimate, and what nine of ten would be within."""

    seconds: float
    low: float
    high: float


class Tally:
    """Counts, the best so far, who works; feed it every record in order.

    What became of a trial follows from many events, so the tally asks the machine that the driver runs: a second
    brain, fed from the journal.

    direction   the user's
    num_trials  how many trials there will be at most
    keep_spans  whether `spans` keeps those that are over

    brain        the machine
    spans        who runs what since when
    bests        the course of the best, by the results that trials had at that time
    last_reason  the reason that the search gave last for what it did, in one line; "" if it gave none
    """

    def __init__(self, direction: Direction, num_trials: int, *, keep_spans: bool = False) -> None:
        self.bests: list[Best] = []
        self.best_params: dict[str, Any] = {}
        self.last_reason = ""
        self.brain = Brain(Rules(num_trials=num_trials))
        self.spans = Spans(keep=keep_spans)
        self._sign = 1.0 if direction == "min" else -1.0
        self._results: dict[int, tuple[float, dict[str, Any]]] = {}  # where trials are promoted
        self._recent: deque[float] = deque(maxlen=_RECENT)  # seconds that trials took

    @classmethod
    def of(cls, about: About, *, keep_spans: bool = False) -> Tally:
        """Of an experiment of which nothing has happened yet."""
        return cls(about.objectives[0].direction, about.num_trials, keep_spans=keep_spans)

    @property
    def num_trials(self) -> int:
        """How many trials there will be at most."""
        return self.brain.rules.num_trials

    @property
    def ended(self) -> int:
        """Trials that have come to a final state; one that was promoted since counts."""
        return self.brain.tried

    @property
    def running(self) -> int:
        """Trials that were suggested and have no final state."""
        return len(self.brain.live)

    @property
    def states(self) -> Counter[TrialState]:
        """How many trials ended in each final state."""
        return self.brain.ended

    @property
    def workers(self) -> int:
        """How many workers are there."""
        return len(self.brain.workers)

    @property
    def ending(self) -> Ending | None:
        """Why the experiment has ended; None while it goes on, or if its driver was killed."""
        return self.brain.ending

    @property
    def best(self) -> float | None:
        """The best metric so far."""
        return self.bests[-1].metric if self.bests else None

    @property
    def best_trial(self) -> int | None:
        """The trial that has it."""
        return self.bests[-1].trial if self.bests else None

    def add(self, record: Record) -> list[AnyCommand]:
        """Take a record into account; returns what the machine makes of it."""
        event, params = record.event, None
        if isinstance(event, ev.TrialFinished | ev.TrialStopped) and self.brain.holds(event.trial, event.attempt):
            params = self.brain.live[event.trial].params
        commands = self.brain.handle(event, 0.0)  # no time: whatever time has brought about is an event
        self._time(self.spans.follow(event, record.t, commands, self.brain))
        if params is not None and any(isinstance(command, Settle) and not command.fell_back for command in commands):
            assert isinstance(event, ev.TrialFinished | ev.TrialStopped)
            self._rank(record.t, event.trial, event.metric, params)
        if reason := reason_of(event):
            self.last_reason = reason
        return commands

    def utilisation(self, now: float) -> float | None:
        """Which part of their time the workers have spent on trials; None before anybody was there.

        now  seconds since the epoch
        """
        return self.spans.utilisation(now)

    def time_left(self, now: float) -> TimeLeft | None:
        """How long it will take, if trials go on taking as long as the last ones; None where nobody can know yet.

        now  seconds since the epoch
        """
        places = self.workers // self.brain.rules.workers_per_trial
        to_do = self.num_trials - self.ended
        if len(self._recent) < _FEWEST or not places or self.ending is not None:
            return None
        usual, spread = fmean(self._recent), stdev(self._recent)
        passed = [min(usual, now - spans[0].start) for spans in self.spans.open.values()]
        work = max(0.0, to_do * usual - sum(passed))
        places = min(places, max(1, to_do))
        off = _SURE * spread * (sqrt(to_do) + to_do / sqrt(len(self._recent))) / places
        seconds = work / places
        return TimeLeft(seconds, max(0.0, seconds - off), seconds + off)

    def status(self, now: float) -> dict[str, Any]:
        """All of it as JSON values.

        now  seconds since the epoch
        """
        left, states = self.time_left(now), self.states
        return {
            "state": "running" if self.ending is None else str(self.ending),
            "num_trials": self.num_trials,
            "ended": self.ended,
            "running": self.running,
            **{str(state): states[state] for state in TrialState if state.final},
            "workers": self.workers,
            "best": self.best,
            "best_trial": self.best_trial,
            "best_config": self.best_params or None,
            "utilisation": self.utilisation(now) if self.ending is None else None,
            "time_left_s": None if left is None else [left.seconds, left.low, left.high],
            "last_reason": self.last_reason,
        }

    def _rank(self, t: float, trial: int, metric: float, params: dict[str, Any]) -> None:
        """A trial has a result, which may take the place of one that it had before it was promoted."""
        if self.brain.rules.promotes:
            self._results[trial] = metric, params
        if self.best is None or self._sign * metric < self._sign * self.best:
            self.bests.append(Best(t, trial, metric))
            self.best_params = params
        elif self._results and (trial == self.best_trial or metric == self.best):  # it became worse, or a tie
            best = min(self._results, key=lambda each: self._sign * self._results[each][0])  # of equals, the earlier
            metric, self.best_params = self._results[best]
            if (best, metric) != (self.best_trial, self.best):
                self.bests.append(Best(t, best, metric))

    def _time(self, over: list[Span]) -> None:
        """Note how long a trial took that has come to its end."""
        if over and over[0].state is not None and over[0].end is not None:
            self._recent.append(over[0].end - over[0].start)


def reason_of(event: ev.AnyEvent) -> str:
    """The reason that an event gives for what the search or somebody else decided, in one line; "" if none."""
    match event:
        case ev.Suggested() | ev.Promoted() if event.reason:
            return f"trial {event.trial}: {event.reason}"
        case ev.Judged(stop=True) | ev.StopAsked():
            return f"trial {event.trial} stopped: {event.reason}"
        case ev.StudyStopped() | ev.Interrupted():
            return event.reason
    return ""
