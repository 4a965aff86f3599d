"""The median stopping rule, and the same for other percentiles."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.earlystop.checks import check_number
from maggy.earlystop.losses import best_of, worst_if_not_finite
from maggy.front import Ranking
from maggy.trial import Curve

COLUMNS_KEPT = 1024
"""How many steps are remembered; the one judged longest ago is forgotten first, and read again when it comes up."""

SUMS_KEPT = 10_000
"""Of so many finished trials the sums of their losses are remembered; the others are summed up again when needed."""


@dataclass(slots=True)
class _Column:
    """What is known at one step.

    averages  running averages of the finished trials that reached the step, ascending
    read      how many of the finished trials have been looked at
    """

    averages: Ranking = field(default_factory=Ranking)
    read: int = 0


class PercentileStoppingRule(StoppingRule):
    """Stops a trial that has never been as good as the best so many percent of the others were on average.

    At step s, the best loss of the trial so far is compared with a percentile, over the finished trials that reached
    step s, of their losses averaged up to s; a trial whose best is strictly worse is stopped. Between two of them the
    percentile is interpolated linearly. Curves are aligned by step, whatever steps each trial reported at. NaN and
    infinity count as the worst possible loss.

    Each finished trial is read once for each step that is judged, so that a judgement costs a search in a sorted list
    and a look at the trials that have finished since the last one at that step.

    percentile  between 0 and 100, in percent, counted from the best: with 25, a trial has to get into the range of the
                best quarter; the smaller, the fewer go on

    Raises ConfigError for a percentile out of this range.
    """

    def __init__(self, percentile: float = 25.0) -> None:
        check_number(type(self).__name__, percentile=percentile, minimum=0, maximum=100)
        self.percentile = percentile
        self._finished: Sequence[Curve] | None = None

    def __repr__(self) -> str:
        return f"PercentileStoppingRule({self.percentile:g})"

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        if finished is not self._finished:  # the first call of an experiment
            self._finished = finished
            self._sums: dict[int, array[float]] = {}
            self._columns: dict[int, _Column] = {}
        step = curve.steps[-1]
        averages = self._averages(step, finished)
        best = best_of(curve.values)
        if not averages or best <= _percentile(averages, self.percentile):
            return GO_ON
        better = averages.place(best)
        return Verdict(
            stop=True,
            reason=f"{self._name}: its best by step {step} is worse than the average until then "
            f"of {better} of the {len(averages)} trials that got as far",
        )

    @property
    def _name(self) -> str:
        return f"percentile rule ({self.percentile:g} %)"

    def _averages(self, step: int, finished: Sequence[Curve]) -> Ranking:
        column = self._columns.pop(step, None) or _Column()
        self._columns[step] = column  # now the newest
        if len(self._columns) > COLUMNS_KEPT:
            del self._columns[next(iter(self._columns))]
        for number in range(column.read, len(finished)):
            other = finished[number]
            points = bisect_right(other.steps, step)
            if points and other.since < step <= other.steps[-1]:
                column.averages.add(self._sums_of(number, other)[points - 1] / points, number)
        column.read = len(finished)
        return column.averages

    def _sums_of(self, number: int, curve: Curve) -> array[float]:
        """The sum of a finished trial's losses up to each of its points."""
        sums = self._sums.pop(number, None)
        if sums is None:
            sums = array("d", accumulate(map(worst_if_not_finite, curve.values)))
        self._sums[number] = sums  # now the newest
        if len(self._sums) > SUMS_KEPT:
            del self._sums[next(iter(self._sums))]
        return sums


class MedianStoppingRule(PercentileStoppingRule):
    """Stops a trial that has never been as good as the others were on average: the percentile rule at 50 %.

    Source: Golovin et al., "Google Vizier", KDD 2017, section 3.2.2.
    """

    def __init__(self) -> None:
        super().__init__(50.0)

    def __repr__(self) -> str:
        return "MedianStoppingRule()"

    @property
    def _name(self) -> str:
        return "median rule"


def _percentile(ascending: Ranking, percentile: float) -> float:
    place = (len(ascending) - 1) * percentile / 100
    below, share = int(place), place % 1
    if not share:
        return ascending[below][0]
    return (1 - share) * ascending[below][0] + share * ascending[below + 1][0]
