"""A search space in Hyperopt's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maggy.searchspace import Parameter, Space
from maggy.searchspace.listed import Categorical
from maggy.trial import Params


class HyperoptSpace:
    """Translates configurations.

    A number is its place in the unit interval, where a log scale is linear; a value of a list without an order is its
    index. Hyperopt draws a value for every hyperparameter, and those that do not exist under the others are dropped.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.expressions = {name: _expression(name, parameter) for name, parameter in space.parameters.items()}

    def told(self, params: Params) -> dict[str, float | int]:
        """A configuration for Hyperopt: of each hyperparameter that exists in it, the value."""
        return {name: _inward(self.space.parameters[name], value) for name, value in self.space.flat(params).items()}

    def asked(self, values: Mapping[str, Any]) -> Params:
        """A configuration from Hyperopt."""
        flat: dict[str, Any] = {}
        for name, parameter in self.space.parameters.items():
            if self.space.is_active(name, flat):
                flat[name] = _outward(parameter, values[name])
        return self.space.nested(flat)


def _expression(name: str, parameter: Parameter) -> Any:
    from hyperopt import hp

    if isinstance(parameter, Categorical):
        return hp.randint(name, len(parameter.choices))
    return hp.uniform(name, 0.0, 1.0)


def _inward(parameter: Parameter, value: Any) -> float | int:
    unit = parameter.to_unit(value)
    return int(unit * len(parameter.choices)) if isinstance(parameter, Categorical) else unit


def _outward(parameter: Parameter, value: float | int) -> Any:
    if isinstance(parameter, Categorical):
        return parameter.from_unit((int(value) + 0.5) / len(parameter.choices))
    return parameter.from_unit(min(max(float(value), 0.0), 1.0))
