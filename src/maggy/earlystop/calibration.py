"""Whether predicted probabilities are what is observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maggy.earlystop.population import Population
from maggy.earlystop.prediction import predict_in
from maggy.trial import Curve

EDGES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 1.0)


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
    bar: float = 0.0,
    edges: Sequence[float] = EDGES,
) -> list[Calibration]:
    """Predict curves whose ends are known, one after the other, as the rule does, and count what came true.

    curves  losses of trials that all ran to the same last step, in the order in which they finished
    known   so many of them have finished before the first is predicted; then each joins them
    shares  after which shares of the steps each is predicted
    bar     what is to be beaten: of the losses at which the curves before it ended, this quantile; 0 for the best
    edges   of the ranges of probability

    Returns the ranges in which there were predictions.
    """
    import numpy as np

    horizon = max(curve.steps[-1] for curve in curves)
    population, ends = Population(horizon), list[float]()
    predicted, came_true = list[float](), list[bool]()
    for number, curve in enumerate(curves):
        if number >= known:
            loss = float(np.quantile(ends, bar))
            for points in sorted({max(2, round(share * len(curve))) for share in shares}):
                if points < len(curve) and curve.steps[points - 1] < horizon:
                    begun = Curve(curve.steps[:points], curve.values[:points])
                    predicted.append(predict_in(population, begun).probability_below(loss))
                    came_true.append(curve.values[-1] < loss)
        population.add(curve)
        ends.append(curve.values[-1])
    place = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, len(edges) - 2)
    return [
        Calibration(
            low=edges[at],
            high=edges[at + 1],
            predicted=float(np.mean(np.array(predicted)[place == at])),
            observed=float(np.mean(np.array(came_true)[place == at])),
            count=int((place == at).sum()),
        )
        for at in range(len(edges) - 1)
        if (place == at).any()
    ]
