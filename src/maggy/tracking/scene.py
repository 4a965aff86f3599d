"""Where an experiment stands, as far as views show it: what they have to remember is bounded, however long it runs."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.chronicle import About, Tally
from maggy.journal import Record
from maggy.tracking.words import crew, duration
from maggy.trial import TrialState

_POINTS = 200  # of a line; one with twice as many loses every second
_DOTS = 400  # trials in the chart of the best; the same
_LEADERS, _RECENT = 8, 8  # trials that have ended whose lines are kept: the best, and the last


class Points:
    """Points in the order they come; where there are twice as many as wanted, every second is dropped.

    wanted  how many
    """

    def __init__(self, wanted: int) -> None:
        self.kept: list[tuple[float, float]] = []
        self._wanted, self._every, self._count = wanted, 1, 0

    def add(self, x: float, y: float) -> None:
        """Add one."""
        if self._count % self._every == 0:
            self.kept.append((x, y))
        self._count += 1
        if len(self.kept) > 2 * self._wanted:
            del self.kept[1::2]
            self._every *= 2

    def cut(self, x: float) -> None:
        """Drop those from here on."""
        del self.kept[bisect_left(self.kept, (x, -inf)) :]


@dataclass(slots=True)
class Line:
    """What a trial has reported, thinned out, and what it reached with each budget.

    state   as text, without the difference between waiting and running
    curve   steps and metrics, without those that are not finite
    last    the step and metric that it reported last
    rungs   budgets and metrics
    result  its metric; None while it runs, or if it has none
    budget  that it runs with, where the optimizer gives out budgets
    """

    trial: int
    state: str = "running"
    curve: Points = field(default_factory=lambda: Points(_POINTS))
    last: tuple[float, float] | None = None
    rungs: list[tuple[float, float]] = field(default_factory=list)
    result: float | None = None
    budget: float | None = None

    def report(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Add points; where a later attempt begins anew, what comes from there on is void."""
        if self.last is not None and steps and steps[0] < self.last[0]:
            self.curve.cut(steps[0])
        for step, value in zip(steps, values, strict=True):
            if isfinite(value):
                self.last = step, value
                self.curve.add(step, value)


class Scene:
    """Feed it every record in order.

    about  the experiment

    tally    the numbers
    lines    what is known of the trials that run, of the best and of the last ones, by number
    course   how many trials had ended when there was a new best, and the best
    dots     the number and the result of trials that have ended, thinned out
    rungs    budget and metric of each time that a trial has reached one, thinned out
    failure  what is known of the trial that has failed last, in one line
    """

    def __init__(self, about: About) -> None:
        self.about = about
        self.tally = Tally.of(about)
        self.lines: dict[int, Line] = {}
        self.course: list[tuple[int, float]] = []
        self.dots = Points(_DOTS)
        self.rungs = Points(_DOTS)
        self.failure = ""
        self._sign = about.objectives[0].sign
        self._leaders: list[int] = []
        self._recent: list[int] = []
        self._began = time.monotonic()
        self._last_t = self._last_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since this driver began."""
        return time.monotonic() - self._began

    @property
    def newest(self) -> Line | None:
        """The line of the trial that was begun last."""
        return self.lines[max(self.lines)] if self.lines else None

    def took(self) -> str:
        """How long it took until its last event, and who worked, in words."""
        people = crew(self.tally, self._last_t)
        return ", ".join(filter(None, (duration(self._last_s), people)))

    def add(self, record: Record) -> None:
        """Take in the next record."""
        event, brain = record.event, self.tally.brain
        self._last_t, self._last_s = record.t, self.elapsed_s
        match event:
            case ev.Suggested() | ev.Promoted():
                line = self.lines.setdefault(event.trial, Line(event.trial))
                line.state, line.budget = "running", event.budget
            case ev.MetricsReported() if brain.holds(event.trial, event.attempt):
                self.lines[event.trial].report(event.steps, [float(value) for value in event.values])
            case ev.TrialFinished() | ev.TrialStopped() if brain.holds(event.trial, event.attempt):
                line = self.lines[event.trial]
                line.result = event.metric
                if line.budget is not None and isinstance(event, ev.TrialFinished):
                    line.rungs.append((line.budget, event.metric))
                    self.rungs.add(line.budget, event.metric)
            case ev.TrialFailed() if brain.holds(event.trial, event.attempt):
                self.failure = f"trial {event.trial}: {(event.error.splitlines() or [''])[-1]}"
        known = len(self.tally.bests)
        for command in self.tally.add(record):
            if isinstance(command, do.Settle):
                self._settle(command.trial, command.state)
        if len(self.tally.bests) > known:
            self.course.append((self.tally.ended, self.tally.bests[-1].metric))

    def _settle(self, trial: int, state: TrialState) -> None:
        line = self.lines[trial]
        line.state = str(state)
        if not state.has_result:
            line.result = None
        elif line.result is not None:
            self.dots.add(self.tally.ended, line.result)
        before = {*self._leaders, *self._recent, trial}
        results = {number: self.lines[number].result for number in {*self._leaders, trial}}
        ranked = {number: self._sign * result for number, result in results.items() if result is not None}
        self._leaders = sorted(ranked, key=ranked.__getitem__)[:_LEADERS]
        self._recent = [*(number for number in self._recent if number != trial), trial][-_RECENT:]
        for number in before.difference(self._leaders, self._recent):
            if self.lines[number].state != "running":
                del self.lines[number]
