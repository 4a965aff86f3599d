"""The median stopping rule."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.trial import Curve

COLUMNS_KEPT = 1024
"""How many steps are remembered; the one judged longest ago is forgotten first, and read again when it comes up."""


@dataclass(slots=True)
class _Column:
    """What is known at one step.

    averages  running averages of the finished trials that reached the step, ascending
    read      how many of the finished trials have been looked at
    """

    averages: array[float] = field(default_factory=lambda: array("d"))
    read: int = 0


class MedianStoppingRule(StoppingRule):
    """Stops a trial that has never been as good as the others were on average.

    At step s, the best loss of the trial so far is compared with the median, over the finished trials that reached
    step s, of their losses averaged up to s; a trial whose best is strictly worse is stopped. Curves are aligned by
    step, whatever steps each trial reported at. NaN and infinity count as the worst possible loss.

    Each finished trial is read once for each step that is judged, so that a judgement costs a search in a sorted list
    and a look at the trials that have finished since the last one at that step.

    Source: Golovin et al., "Google Vizier", KDD 2017, section 3.2.2.
    """

    def __init__(self) -> None:
        self._finished: Sequence[Curve] | None = None

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        if finished is not self._finished:  # the first call of an experiment
            self._finished = finished
            self._sums: list[array[float]] = []
            self._columns: dict[int, _Column] = {}
        step = curve.steps[-1]
        averages = self._averages(step, finished)
        best = _best(curve.values)
        if not averages or best <= _median(averages):
            return GO_ON
        better = bisect_left(averages, best)
        return Verdict(
            stop=True,
            reason=f"median rule: its best by step {step} is worse than the average until then "
            f"of {better} of the {len(averages)} trials that got as far",
        )

    def _averages(self, step: int, finished: Sequence[Curve]) -> array[float]:
        for number in range(len(self._sums), len(finished)):
            self._sums.append(array("d", accumulate(map(_worst_if_not_finite, finished[number].values))))
        column = self._columns.pop(step, None) or _Column()
        self._columns[step] = column  # now the newest
        if len(self._columns) > COLUMNS_KEPT:
            del self._columns[next(iter(self._columns))]
        for number in range(column.read, len(finished)):
            steps = finished[number].steps
            points = bisect_right(steps, step)
            if points and steps[-1] >= step:
                insort(column.averages, self._sums[number][points - 1] / points)
        column.read = len(finished)
        return column.averages


def _worst_if_not_finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _best(losses: Sequence[float]) -> float:
    best = min(losses)
    return best if math.isfinite(best) else min(map(_worst_if_not_finite, losses))


def _median(ascending: Sequence[float]) -> float:
    middle = len(ascending) // 2
    return ascending[middle] if len(ascending) % 2 else (ascending[middle - 1] + ascending[middle]) / 2
