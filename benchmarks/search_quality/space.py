"""Search spaces as plain values, so that every contestant reads the same and none its own.

A space maps names to the seeds' tuples: `("DOUBLE", [1e-4, 1.0], {"log": True})`, `("INTEGER", [1, 8])`,
`("CATEGORICAL", ["relu", "tanh"])`. The option `"when": {"optimizer": "sgd"}` says that a hyperparameter exists only
where another one, which stands before it, has that value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Spec = tuple[Any, ...]
Space = dict[str, Spec]
Params = dict[str, Any]


def options(spec: Spec) -> dict[str, Any]:
    return spec[2] if len(spec) > 2 else {}


def active(spec: Spec, params: Params) -> bool:
    return all(params.get(name) == value for name, value in options(spec).get("when", {}).items())


def value_at(spec: Spec, unit: float) -> Any:
    """The value at a place in [0, 1): linear or logarithmic; whole numbers and categories have cells of their own."""
    kind, values = spec[:2]
    if kind == "CATEGORICAL":
        return values[min(int(unit * len(values)), len(values) - 1)]
    low, high = ends(spec)
    value = unscale(spec, low + unit * (high - low))
    if kind == "INTEGER":
        value = round(value)
    return min(max(value, values[0]), values[1])


def place_of(spec: Spec, value: Any) -> float:
    """Where a value stands in [0, 1]; the middle of its cell for a category."""
    kind, values = spec[:2]
    if kind == "CATEGORICAL":
        return (values.index(value) + 0.5) / len(values)
    low, high = ends(spec)
    return (scale(spec, value) - low) / (high - low)


def ends(spec: Spec) -> tuple[float, float]:
    """The range on its scale. That of whole numbers begins and ends half a number further out: cells are equal."""
    half = 0.5 if spec[0] == "INTEGER" else 0.0
    return scale(spec, spec[1][0] - half), scale(spec, spec[1][1] + half)


def scale(spec: Spec, value: float) -> float:
    return math.log(value) if options(spec).get("log") else float(value)


def unscale(spec: Spec, value: float) -> float:
    return math.exp(value) if options(spec).get("log") else value


def params_at(space: Space, units: Any) -> Params:
    """The configuration at a point of the unit cube."""
    params: Params = {}
    for (name, spec), unit in zip(space.items(), units, strict=True):
        if active(spec, params):
            params[name] = value_at(spec, float(unit))
    return params


def draw(space: Space, rng: np.random.Generator) -> Params:
    """A configuration at random."""
    return params_at(space, rng.random(len(space)))
