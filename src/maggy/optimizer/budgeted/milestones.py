"""Which steps of running trials are judged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


class Milestones:
    """Steps at which running trials are judged, and how far each has come.

    A trial reaches a milestone with the first step that it reports at or beyond it. A step that passes several at once
    counts for the last of them, and the others are left out: what a trial is worth so far beyond them says nothing
    about those that were judged there.

    steps  the milestones, ascending
    """

    def __init__(self, steps: Sequence[float]) -> None:
        self.steps = steps
        self._next: dict[int, int] = {}

    def reached(self, trial: int, step: int) -> int | None:
        """The number of the milestone that a trial reaches with this step, from 0; None if it reaches none."""
        passed = bisect_right(self.steps, step)
        if passed <= self._next.get(trial, 0):
            return None
        self._next[trial] = passed
        return passed - 1

    def ends(self, step: int) -> bool:
        """Whether a trial has gone beyond the last milestone. One that stands at it may be about to return."""
        return step > self.steps[-1]

    def leave(self, trial: int) -> int:
        """Forget a trial; returns the number of the milestone that it would have reached next."""
        return self._next.pop(trial, 0)
