"""Where a learning curve will end, and whether it will be the best.

What the curve looks like and what finished curves were like go into a mixture, see `maggy.earlystop.mixture`. Its
evidence weighs how well a shape explains what was seen. That nothing surprising happens later, it cannot know. So some
weight, `SURPRISE`, is kept for "from here on it gains what others have gained, or something else altogether".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, sqrt
from typing import TYPE_CHECKING, Any

from maggy.earlystop.mixture import design, mixture
from maggy.earlystop.population import Population
from maggy.errors import ConfigError
from maggy.trial import Curve

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

POINTS = 32
"""So many points of a curve are looked at, the first and the newest among them."""

SURPRISE = 0.25
"""Weight of what the curve does not show."""

SURPRISES = ((0.7, 1.2), (0.3, 3.0))
"""Its parts: share, and standard deviation in units of that of the gains of the finished curves."""


DOUBT = 0.55
"""By how much the odds of becoming the best are corrected.

On four tables of recorded curves the odds that came out were too high, by factors of 0.8, 1.2, 3.7 and 3.9. This is in
the middle of these; `benchmarks.stopping` shows what is left.
"""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The loss at the horizon, as a mixture of normal distributions.

    weights, means, deviations  one of each for every component; the weights add up to 1
    """

    weights: Array
    means: Array
    deviations: Array

    @property
    def mean(self) -> float:
        """The expected loss."""
        return float(self.weights @ self.means)

    @property
    def std(self) -> float:
        """Its standard deviation."""
        variances = self.deviations**2 + (self.means - self.mean) ** 2
        return sqrt(float(self.weights @ variances))

    def probability_below(self, loss: float) -> float:
        """The probability that the curve ends below this loss."""
        scores = ((loss - self.means) / (self.deviations * sqrt(2))).tolist()
        below = sum(weight * (1 + erf(score)) for weight, score in zip(self.weights, scores, strict=True)) / 2
        return min(max(float(below), 0.0), 1.0)

    def quantile(self, share: float) -> float:
        """The loss below which the curve ends with this probability, which lies between 0 and 1, exclusive."""
        low = float((self.means - 40 * self.deviations).min())
        high = float((self.means + 40 * self.deviations).max())
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if self.probability_below(middle) < share else (low, middle)
        return (low + high) / 2


def predict(curve: Curve, horizon: int, finished: Sequence[Curve] = ()) -> Prediction:
    """Predict the loss of a trial at a later step.

    curve     its losses so far, lower is better; negate a metric that is to be high
    horizon   the step, after the newest of the curve
    finished  losses of other trials; those that reached the horizon say what to expect

    Raises ConfigError for a horizon that is not ahead, and without a single finite loss.
    """
    if not curve.steps or curve.steps[-1] >= horizon:
        raise ConfigError(f"the horizon, step {horizon}, is not ahead of the curve: nothing is left to predict")
    population = Population(horizon)
    for other in finished:
        population.add(other)
    return predict_in(population, curve)


def predict_in(population: Population, curve: Curve) -> Prediction:
    """Predict the loss of a trial at the horizon of a population. See `predict`."""
    import numpy as np

    units = population.units(curve)
    chosen = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), POINTS)).round().astype(int))
    losses = units.scaled([curve.values[point] for point in chosen])
    prior = population.prior(curve.steps[-1], units, float(losses[-1]))
    seen = design(tuple(curve.steps[point] for point in chosen), population.horizon)
    weights, means, deviations = mixture(seen, losses, prior)
    weights = np.append(weights * (1 - SURPRISE), [SURPRISE * share for share, _ in SURPRISES])
    means = np.append(means, [losses[-1] - prior.gain] * len(SURPRISES))
    deviations = np.append(deviations, [width * prior.spread for _, width in SURPRISES])
    matter = weights > 1e-5 * weights.max()
    return Prediction(
        weights[matter] / weights[matter].sum(),
        units.centre + units.scale * means[matter],
        units.scale * deviations[matter],
    )


def probability_of_best(population: Population, curve: Curve, best: float, fresh: float) -> float:
    """The probability that a trial ends below the best loss so far.

    best   a loss
    fresh  the probability of that for a trial of which nothing is known

    The normal prior of a prediction knows nothing of how many have tried in vain: to it, an end beyond the best is no
    rarer than the width of the distribution makes it. So the prediction says only by how much the curve has changed
    the odds, and this change is applied to those of a fresh trial.
    """
    units = population.units(curve)
    prior = population.prior(curve.steps[-1], units, float(units.scaled(curve.values[-1:])[0]))
    end, spread = float(prior.mean[0]), sqrt(prior.covariance[0, 0])
    before = (1 + erf((float(units.scaled([best])[0]) - end) / (spread * sqrt(2)))) / 2
    after = predict_in(population, curve).probability_below(best)
    return _from_odds(DOUBT * _odds(after) / _odds(max(before, fresh)) * _odds(fresh))


def _odds(probability: float) -> float:
    return probability / max(1 - probability, 1e-12)


def _from_odds(odds: float) -> float:
    return odds / (1 + odds)
