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


_MOST_SIFTED = 1_000_000


class GridSearch(Sampler):
    """Tries every combination once, the last hyperparameter changing fastest.

    An INTEGER stands for every whole number of its range. `num_trials` of the config is ignored: there are as many
    trials as combinations. The grid is not built: combination `n` is `n` written with one digit for each parameter.
    Only where there are conditions, a union, or forbidden combinations, those that are no configuration, or that stand
    for the same one, are found first.

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
                low, high = (parameter.from_unit(0.02), parameter.from_unit(0.98))
                bounds = parameter.values if parameter.type == "DOUBLE" else [low, high]
                continuous.append(f"{name}=('DISCRETE', {_spread(*bounds)})")
            else:
                self._axes[name] = parameter.grid
        if continuous:
            raise ConfigError(
                "grid search cannot try every value of a continuous hyperparameter; give it a list of values, e.g. "
                + ", ".join(continuous)
            )
        self._space = space
        self._size = math.prod(map(len, self._axes.values()))
        self._numbers: list[int] | None = None
        if not space.is_free:
            if self._size > _MOST_SIFTED:
                raise ConfigError(
                    f"grid search would have to look at {self._size:,} combinations for those that conditions and "
                    f"forbidden ones leave, more than {_MOST_SIFTED:,}; give fewer values"
                )
            self._numbers = [number for number in range(self._size) if self._is_first(number)]
            self._size = len(self._numbers)
        return self._size

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params | None:
        if number >= self._size:
            return None
        digits = self._digits(number if self._numbers is None else self._numbers[number])
        # A copy of each value, because it may be a list and trials must not share it.
        return self._space.nested({name: deepcopy(axis[digits[name]]) for name, axis in self._axes.items()})

    def _digits(self, number: int) -> dict[str, int]:
        digits = {}
        for name, axis in reversed(self._axes.items()):
            number, digits[name] = divmod(number, len(axis))
        return digits

    def _is_first(self, number: int) -> bool:
        """Whether a combination is a configuration, and the first of those that only differ in what it has not got."""
        digits = self._digits(number)
        flat = {name: axis[digits[name]] for name, axis in self._axes.items()}
        if any(digit and not self._space.is_active(name, flat) for name, digit in digits.items()):
            return False
        return self._space.allows(self._space.nested(flat))


def _spread(low: float, high: float) -> list[float]:
    """Five values from bound to bound, those between the bounds rounded to about four digits of the range."""
    digits = 3 - math.floor(math.log10(high - low))
    return [low, *(round(low + (high - low) * quarter / 4, digits) for quarter in (1, 2, 3)), high]
