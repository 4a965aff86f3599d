"""A search space in Optuna's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maggy.searchspace import Parameter, Space
from maggy.searchspace.listed import Categorical
from maggy.trial import Params

if TYPE_CHECKING:
    import optuna


class OptunaSpace:
    """Translates configurations.

    conditional  whether a configuration is described by its active hyperparameters alone; else the others are there
                 as well, with the value in the middle, for samplers that know fixed spaces only

    A number of a continuous range is its place in the unit interval, where a log scale is linear. A listed or stepped
    value is its index, as an integer or, where the values have no order, as a category.
    """

    def __init__(self, space: Space, *, conditional: bool) -> None:
        self.space, self.conditional = space, conditional
        self.distributions = {name: _distribution(parameter) for name, parameter in space.parameters.items()}

    def told(self, params: Params) -> dict[str, Any]:
        """A configuration for Optuna."""
        flat = self.space.flat(params)
        return {
            name: _inward(parameter, flat[name]) if name in flat else _middle(parameter)
            for name, parameter in self.space.parameters.items()
            if name in flat or not self.conditional
        }

    def asked(self, trial: optuna.Trial) -> Params:
        """A configuration from Optuna."""
        flat: dict[str, Any] = {}
        for name, parameter in self.space.parameters.items():
            active = self.space.is_active(name, flat)
            if active or not self.conditional:
                value = _suggest(trial, name, self.distributions[name])
                if active:
                    flat[name] = _outward(parameter, value)
        return self.space.nested(flat)


def _cells(parameter: Parameter) -> int | None:
    """How many values it has, each of which owns an equal part of the unit interval; None where that is not so."""
    if parameter.grid is None or getattr(parameter, "log", False):
        return None
    return len(parameter.grid)


def _distribution(parameter: Parameter) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    cells = _cells(parameter)
    if cells is None:
        return FloatDistribution(0.0, 1.0)
    if isinstance(parameter, Categorical):
        return CategoricalDistribution(range(cells))
    return IntDistribution(0, cells - 1)


def _inward(parameter: Parameter, value: Any) -> float | int:
    unit, cells = parameter.to_unit(value), _cells(parameter)
    return unit if cells is None else min(int(unit * cells), cells - 1)


def _outward(parameter: Parameter, value: float | int) -> Any:
    cells = _cells(parameter)
    return parameter.from_unit(value if cells is None else (value + 0.5) / cells)


def _middle(parameter: Parameter) -> float | int:
    cells = _cells(parameter)
    return 0.5 if cells is None else cells // 2


def _suggest(trial: optuna.Trial, name: str, distribution: optuna.distributions.BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high)
    return trial.suggest_float(name, 0.0, 1.0)
