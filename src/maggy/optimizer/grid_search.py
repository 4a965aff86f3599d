"""Grid search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from maggy.errors import ConfigError
from maggy.optimizer.history import History
from maggy.optimizer.sampler import Sampler
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np


class GridSearch(Sampler):
    """Tries every combination once, the last hyperparameter changing fastest.

    An INTEGER stands for every whole number of its range. `num_trials` of the config is ignored: there are as many
    trials as combinations. The grid is never built: combination `n` is `n` written with one digit for each parameter.

    Raises ConfigError, before the first trial, for a DOUBLE, which has no end of values, and for an empty space.
    """

    needs_history: ClassVar[bool] = False
    origin: ClassVar[str] = "grid"
    objectives = "many"

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> int:
        if not space:
            raise ConfigError("grid search has nothing to combine: the search space is empty; or use optimizer='none'")
        self._axes: dict[str, Sequence[Any]] = {}
        continuous = []
        for name, parameter in space.parameters.items():
            if parameter.grid is None:
                continuous.append(f"{name}=('DISCRETE', {_spread(*parameter.values)})")
            else:
                self._axes[name] = parameter.grid
        if continuous:
            raise ConfigError(
                "grid search cannot try every value of a continuous hyperparameter; give it a list of values, e.g. "
                + ", ".join(continuous)
            )
        self._size = math.prod(map(len, self._axes.values()))
        return self._size

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params | None:
        if number >= self._size:
            return None
        digits = {}
        for name, axis in reversed(self._axes.items()):
            number, digits[name] = divmod(number, len(axis))
        # A copy of each value, because it may be a list and trials must not share it.
        return {name: deepcopy(axis[digits[name]]) for name, axis in self._axes.items()}


def _spread(low: float, high: float) -> list[float]:
    """Five values from bound to bound, those between the bounds rounded to about four digits of the range."""
    digits = 3 - math.floor(math.log10(high - low))
    return [low, *(round(low + (high - low) * quarter / 4, digits) for quarter in (1, 2, 3)), high]
