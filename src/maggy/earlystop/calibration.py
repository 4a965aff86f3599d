"""Whether predicted probabilities are what is observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from maggy.earlystop.population import Population
from maggy.earlystop.prediction import probability_of_best
from maggy.trial import Curve

EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Predictions whose probability lay in one range.

    low, high  the range, without `high`; the last one has it
    predicted  their mean
    observed   the share of them that came true
    count      how many there were
    """

    low: float
    high: float
    predicted: float
    observed: float
    count: int


def calibration(
    curves: Sequence[Curve],
    *,
    known: int = 10,
    shares: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.7),
    edges: Sequence[float] = EDGES,
) -> list[Calibration]:
    """Ask of each curve, as the rule does, whether it ends better than all before it, and count what came true.

    curves  losses of trials that all ran to the same last step, in the order in which they finished
    known   so many of them have finished before the first is predicted; then each joins them
    shares  after which shares of the steps each is predicted
    edges   of the ranges of probability

    Returns the ranges in which there were predictions.
    """
    horizon = max(curve.steps[-1] for curve in curves)
    population = Population(horizon)
    predicted, came_true = list[float](), list[bool]()
    for number, curve in enumerate(curves):
        if number >= known:
            best = min(before.values[-1] for before in curves[:number])
            for points in sorted({max(2, round(share * len(curve))) for share in shares}):
                if points < len(curve) and curve.steps[points - 1] < horizon:
                    begun = Curve(curve.steps[:points], curve.values[:points])
                    predicted.append(probability_of_best(population, begun, best, fresh=1 / (number + 1)))
                    came_true.append(curve.values[-1] < best)
        population.add(curve)
    found = []
    for low, high in pairwise(edges):
        here = [at for at, p in enumerate(predicted) if low <= p < high or p == high == edges[-1]]
        if here:
            found.append(
                Calibration(
                    low=low,
                    high=high,
                    predicted=fmean([predicted[at] for at in here]),
                    observed=fmean([came_true[at] for at in here]),
                    count=len(here),
                )
            )
    return found
