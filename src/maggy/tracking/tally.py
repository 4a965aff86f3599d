"""The state of an experiment as its journal tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from maggy.brain import events as ev
from maggy.trial import Direction


@dataclass
class Tally:
    """Counts and the best so far; feed it every event in order.

    direction   the user's
    num_trials  how many trials there will be at most
    """

    direction: Direction
    num_trials: int
    finished: int = 0
    stopped: int = 0
    failed: int = 0
    best: float | None = None
    best_trial: int | None = None
    best_params: dict[str, Any] = field(default_factory=dict)
    workers: set[int] = field(default_factory=set)
    _running: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        """Trials with a final state."""
        return self.finished + self.stopped + self.failed

    @property
    def running(self) -> int:
        """Trials that were suggested and have no final state."""
        return len(self._running)

    def add(self, event: ev.AnyEvent) -> None:
        """Take an event into account. A report of an attempt that no longer counts may change nothing here either."""
        match event:
            case ev.WorkerJoined():
                self.workers.add(event.worker)
            case ev.WorkerLost():
                self.workers.discard(event.worker)
            case ev.Suggested():
                self._running[event.trial] = event.params
            case ev.TrialFinished() | ev.TrialStopped() if event.trial in self._running:
                params = self._running.pop(event.trial)
                if isinstance(event, ev.TrialFinished):
                    self.finished += 1
                else:
                    self.stopped += 1
                if self._is_better(event.metric):
                    self.best, self.best_trial, self.best_params = event.metric, event.trial, params
            case ev.TrialFailed() if event.trial in self._running:
                del self._running[event.trial]
                self.failed += 1
            case _:
                pass

    def _is_better(self, metric: float) -> bool:
        if self.best is None:
            return True
        return metric < self.best if self.direction == "min" else metric > self.best
