"""Stopping a trial that will hardly become the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.earlystop.checks import check_number, check_whole
from maggy.earlystop.population import ENOUGH, Population
from maggy.earlystop.prediction import probability_of_best
from maggy.trial import Curve


@dataclass
class CurvePredictionRule(StoppingRule):
    """Stops a trial that is much less likely to become the best than a fresh trial would be.

    The probability that a trial ends better than the best so far is predicted from its own curve and from those of the
    trials that have finished, see `maggy.earlystop.prediction`. It is in the verdict of every step at which it was
    predicted, also when the trial goes on. A fresh trial becomes the best with a probability of 1 / (n + 1) after n
    trials. A bound on the probability alone would therefore stop everybody, sooner or later.

    horizon  the step at which trials end; None for the last step of the longest that has ended
    ratio    a trial is stopped when its probability is less than so many times that of a fresh trial; above 0
    least    points that a trial has reported before it is judged
    every    steps between two predictions for a trial; None for a fiftieth of the horizon

    A prediction takes about a quarter of a millisecond. Nobody is judged before three trials have come to the horizon.

    Raises ConfigError for settings that are out of range.
    """

    horizon: int | None = None
    ratio: float = 0.2
    least: int = 4
    every: int | None = None
    _finished: Sequence[Curve] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("CurvePredictionRule", ratio=self.ratio, above=0)
        check_whole("CurvePredictionRule", minimum=2, least=self.least)
        given = {"horizon": self.horizon, "every": self.every}
        check_whole("CurvePredictionRule", **{name: value for name, value in given.items() if value is not None})

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        self._read(finished)
        population, step = self._population, curve.steps[-1]
        if len(curve) < self.least or len(population) < ENOUGH or step >= population.horizon or not self._due(curve):
            return GO_ON
        fresh = 1 / (self._trials + 1)
        probability = probability_of_best(population, curve, self._best, fresh)
        if probability >= self.ratio * fresh:
            return Verdict(stop=False, probability=probability)
        return Verdict(
            stop=True,
            reason=f"curve prediction: ends better than the best so far ({self.metric(self._best):.4g}) with "
            f"probability {probability:.2g} at step {step}, a fresh trial with {fresh:.2g}",
            probability=probability,
        )

    def _read(self, finished: Sequence[Curve]) -> None:
        if finished is not self._finished:  # the first call of an experiment
            self._finished, self._seen, self._trials, self._best = finished, 0, 0, inf
            self._population = Population(self.horizon or 0)
        new = finished[self._seen :]
        self._seen = len(finished)
        self._trials += sum(curve.since < 0 for curve in new)
        self._best = min([self._best, *(curve.values[-1] for curve in new if isfinite(curve.values[-1]))])
        longest = max((curve.steps[-1] for curve in new), default=0)
        if self.horizon is None and longest > self._population.horizon:
            self._population, new = Population(longest), finished
        for curve in new:
            self._population.add(curve)

    def _due(self, curve: Curve) -> bool:
        every = self.every or max(self._population.horizon // 50, 1)
        return curve.steps[-1] // every > curve.steps[-2] // every
