"""What finished learning curves say about one that is still running."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from maggy.errors import ConfigError
from maggy.trial import Curve

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

POINTS = 64
"""Of each curve about so many points decide about the units."""

CURVES_KEPT = 256
"""So many curves are kept, the first ones: the later ones are those that a rule has let through."""

ENOUGH = 3
"""From so many complete curves on, they are what is expected of the next."""

STEPS_KEPT = 1024
"""At so many steps it is remembered what the curves were there; the one asked for longest ago is forgotten first."""

_PSEUDO = 3
"""So many curves count for gains that do not depend on where a curve ends."""


@dataclass(frozen=True)
class Units:
    """What losses are measured in, so that numbers are of the order of 1.

    centre, scale  a loss of `centre` becomes 0, one of `centre + scale` becomes 1
    worst          whatever is worse counts as this, and so does what is no number
    """

    centre: float
    scale: float
    worst: float

    def scaled(self, losses: Sequence[float]) -> Array:
        import numpy as np

        values = np.array([loss if isfinite(loss) else self.worst for loss in losses])
        scaled: Array = (np.minimum(values, self.worst) - self.centre) / self.scale
        return scaled


@dataclass(frozen=True, eq=False)
class Prior:
    """What is expected of a curve, in `Units`: where it ends, and what it still gains until then.

    mean        [2], of a normal distribution that single curves cannot move far
    covariance  [2, 2], of the same
    gain        mean of all gains, however far out
    spread      their standard deviation
    """

    mean: Array
    covariance: Array
    gain: float
    spread: float


@dataclass(slots=True)
class _Step:
    """What the curves were at one step.

    losses  of as many of them as have been read
    prior   made from these
    """

    losses: list[float] = field(default_factory=list)
    prior: Prior | None = None


class Population:
    """Finished curves that reached a horizon.

    horizon  the step
    """

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self._curves: list[Curve] = []
        self._ends: list[float] = []
        self._units: Units | None = None
        self._steps: dict[int, _Step] = {}

    def __len__(self) -> int:
        return len(self._curves)

    def add(self, curve: Curve) -> None:
        """A trial has ended. It counts if it has come to the horizon, for the first time, with a loss there."""
        if len(self) == CURVES_KEPT or not curve.since < self.horizon <= curve.steps[-1]:
            return
        end = _loss_at(curve, self.horizon)
        if isfinite(end):
            self._curves.append(curve)
            self._ends.append(end)
            self._units = None

    def units(self, curve: Curve) -> Units:
        """The units of this population; those of the running curve where there is none.

        Raises ConfigError where there is not a single finite loss.
        """
        if len(self) < ENOUGH:
            return _units_of([curve])
        self._units = self._units or _units_of(self._curves)
        return self._units

    def prior(self, step: int, units: Units, now: float) -> Prior:
        """What is expected of a curve that has come to a step.

        now  its newest loss, in these units
        """
        import numpy as np

        if len(self) < ENOUGH:
            return Prior(mean=np.array([now, 0.0]), covariance=np.eye(2), gain=0.0, spread=1.0)
        seen = self._steps.pop(step, None) or _Step()
        self._steps[step] = seen  # now the newest
        if len(self._steps) > STEPS_KEPT:
            del self._steps[next(iter(self._steps))]
        if seen.prior is None or len(seen.losses) < len(self):
            seen.losses += [_loss_at(curve, step) for curve in self._curves[len(seen.losses) :]]
            ends = units.scaled(self._ends)
            seen.prior = _fit(ends, units.scaled(seen.losses) - ends)
        return seen.prior


def _fit(ends: Array, gains: Array) -> Prior:
    import numpy as np

    pairs = np.stack([ends, gains])
    middle = np.median(pairs, axis=1, keepdims=True)
    width = 1.4826 * np.median(np.abs(pairs - middle), axis=1, keepdims=True)  # a standard deviation, if it is normal
    width = np.maximum(width, max(0.1 * width.max(), 0.001))
    pairs = np.clip(pairs, middle - 4 * width, middle + 4 * width)
    count = len(ends)
    covariance = (count * np.cov(pairs) + _PSEUDO * np.diag(width[:, 0] ** 2)) / (count + _PSEUDO)
    return Prior(
        mean=pairs.mean(axis=1),
        covariance=covariance * (1 + 2 / count),
        gain=float(gains.mean()),
        spread=max(float(gains.std(ddof=1)), 0.003),
    )


def _units_of(curves: Sequence[Curve]) -> Units:
    import numpy as np

    losses = np.concatenate([curve.values[:: 1 + len(curve) // POINTS] for curve in curves])
    losses = losses[np.isfinite(losses)]
    if not len(losses):
        raise ConfigError("a curve without a single finite loss cannot be predicted")
    low, tenth, middle, ninth, high = np.percentile(losses, [5, 10, 50, 90, 95])
    scale = (ninth - tenth) or np.ptp(losses) or abs(middle) or 1.0
    return Units(centre=float(middle), scale=float(scale), worst=float(2 * high - low + (high == low) * scale))


def _loss_at(curve: Curve, step: int) -> float:
    """The loss at a step; between two points on the straight line."""
    after = bisect_right(curve.steps, step)
    if after in (0, len(curve)):
        return curve.values[max(after - 1, 0)]
    left, right = curve.steps[after - 1], curve.steps[after]
    share = (step - left) / (right - left)
    return (1 - share) * curve.values[after - 1] + share * curve.values[after]
