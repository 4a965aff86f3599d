"""Stopping a trial that will hardly become the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.earlystop.checks import check_number, check_whole
from maggy.earlystop.population import ENOUGH, Population
from maggy.earlystop.prediction import predict_in
from maggy.trial import Curve


@dataclass
class CurvePredictionRule(StoppingRule):
    """Stops a trial that ends better than the best so far with less than some probability.

    The probability is predicted from the trial's own curve and from the curves of the trials that have finished, see
    `maggy.earlystop.prediction`. It is in the verdict of every step at which it was predicted, also when the trial
    goes on.

    horizon      the step at which trials end; None for the last step of the longest that has ended
    probability  a trial that is less likely to become the best is stopped
    least        points that a trial has reported before it is judged
    every        steps between two predictions for a trial; None for a fiftieth of the horizon

    A prediction takes about half a millisecond. Nobody is judged before three trials have come to the horizon.

    Raises ConfigError for settings that are out of range.
    """

    horizon: int | None = None
    probability: float = 0.05
    least: int = 4
    every: int | None = None
    _finished: Sequence[Curve] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("CurvePredictionRule", probability=self.probability, minimum=0, maximum=1)
        check_whole("CurvePredictionRule", minimum=2, least=self.least)
        given = {"horizon": self.horizon, "every": self.every}
        check_whole("CurvePredictionRule", **{name: value for name, value in given.items() if value is not None})

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        self._read(finished)
        population, step = self._population, curve.steps[-1]
        if len(curve) < self.least or len(population) < ENOUGH or step >= population.horizon or not self._due(curve):
            return GO_ON
        probability = predict_in(population, curve).probability_below(self._best)
        if probability >= self.probability:
            return Verdict(stop=False, probability=probability)
        rounded = "less than 0.01" if probability < 0.005 else f"{probability:.2f}"
        return Verdict(
            stop=True,
            reason=f"curve prediction: ends better than the best so far ({self.metric(self._best):.4g}) with "
            f"probability {rounded} at step {step}",
            probability=probability,
        )

    def _read(self, finished: Sequence[Curve]) -> None:
        if finished is not self._finished:  # the first call of an experiment
            self._finished, self._seen, self._best = finished, 0, inf
            self._population = Population(self.horizon or 0)
        new = finished[self._seen :]
        self._seen = len(finished)
        self._best = min([self._best, *(curve.values[-1] for curve in new if isfinite(curve.values[-1]))])
        longest = max((curve.steps[-1] for curve in new), default=0)
        if self.horizon is None and longest > self._population.horizon:
            self._population, new = Population(longest), finished
        for curve in new:
            self._population.add(curve)

    def _due(self, curve: Curve) -> bool:
        every = self.every or max(self._population.horizon // 50, 1)
        return curve.steps[-1] // every > curve.steps[-2] // every
