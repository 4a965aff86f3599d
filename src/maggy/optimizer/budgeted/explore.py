"""Configurations near a given one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from maggy.searchspace import Discrete, Normal, Parameter, Space
from maggy.searchspace.ranges import Range
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np

TRIES = 100
"""Configurations that are made before it is given up to find one that is not forbidden."""


def perturbed(
    space: Space, params: Params, rng: np.random.Generator, *, resample: float, factors: Sequence[float]
) -> Params:
    """A configuration near `params`.

    resample  probability of each hyperparameter to be drawn anew
    factors   otherwise a number is multiplied by one of these, within its range; where the values are a list in order,
              or whole numbers too small to change, it moves one step; a category stays

    Where 100 of them are forbidden, it is `params` again.
    """
    flat = space.flat(params)
    for _ in range(TRIES):
        units = [
            _unit(parameter, flat[name], rng, resample, factors) if name in flat else float(rng.random())
            for name, parameter in space.parameters.items()
        ]
        found = space.decode(units)
        if space.allows(found):
            return found
    return deepcopy(params)


def _unit(
    parameter: Parameter, value: Any, rng: np.random.Generator, resample: float, factors: Sequence[float]
) -> float:
    """Where in the unit interval the new value lies."""
    if rng.random() < resample:
        return parameter.to_unit(parameter.draw(rng))
    factor = factors[int(rng.integers(len(factors)))]
    step = 1 if factor > 1 else -1
    if isinstance(parameter, Discrete):
        return min(max(parameter.to_unit(value) + step / len(parameter.choices), 0.0), 1.0)
    if not isinstance(parameter, Range | Normal):
        return parameter.to_unit(value)
    unit = parameter.to_unit(value * factor)
    if parameter.q is not None and parameter.from_unit(unit) == value:
        return parameter.to_unit(value + step * parameter.q)
    return unit
