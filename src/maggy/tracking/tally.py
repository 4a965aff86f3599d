"""The state of an experiment as its journal tells it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from maggy.brain import Brain, Rules
from maggy.brain import events as ev
from maggy.brain.commands import Settle
from maggy.trial import Direction, TrialState


class Tally:
    """Counts and the best so far; feed it every event in order.

    What became of a trial follows from many events, so the tally asks the machine that the driver runs: a second
    brain, fed from the journal.

    direction   the user's
    num_trials  how many trials there will be at most
    """

    def __init__(self, direction: Direction, num_trials: int) -> None:
        self.best: float | None = None
        self.best_trial: int | None = None
        self.best_params: dict[str, Any] = {}
        self._sign = 1.0 if direction == "min" else -1.0
        self._brain = Brain(Rules(num_trials=num_trials))

    @property
    def num_trials(self) -> int:
        """How many trials there will be at most."""
        return self._brain.rules.num_trials

    @property
    def ended(self) -> int:
        """Trials that have come to a final state; one that was promoted since counts."""
        return self._brain.tried

    @property
    def running(self) -> int:
        """Trials that were suggested and have no final state."""
        return len(self._brain.live)

    @property
    def states(self) -> Counter[TrialState]:
        """How many trials ended in each final state."""
        return self._brain.ended

    def add(self, event: ev.AnyEvent) -> None:
        """Take an event into account."""
        params = None
        if isinstance(event, ev.TrialFinished | ev.TrialStopped) and self._brain.holds(event.trial, event.attempt):
            params = self._brain.live[event.trial].params
        commands = self._brain.handle(event, 0.0)  # no time: whatever time has brought about is an event
        if params is not None and any(isinstance(command, Settle) for command in commands):
            assert isinstance(event, ev.TrialFinished | ev.TrialStopped)
            if self.best is None or self._sign * event.metric < self._sign * self.best:
                self.best, self.best_trial, self.best_params = event.metric, event.trial, params
