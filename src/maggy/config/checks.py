"""Checks of what a config says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from maggy.errors import ConfigError
from maggy.searchspace.parameters import INJECTED_NAMES

if TYPE_CHECKING:
    from maggy.config.ablation import AblationConfig
    from maggy.config.search import HyperparameterOptConfig


def listed(value: Any) -> Sequence[Any]:
    """A value that may be one or several, as several."""
    return value if isinstance(value, list | tuple) else [value]


def check(holds: bool, message: str) -> None:
    """Raise ConfigError unless something holds."""
    if not holds:
        raise ConfigError(message)


def check_stopping(config: HyperparameterOptConfig | AblationConfig) -> None:
    """Raise ConfigError for numbers by which nobody can be stopped."""
    check_whole("es_interval", config.es_interval, least=1)
    check_whole("es_min", config.es_min, least=0)


def check_hparams(hparams: object) -> None:
    """Raise ConfigError for what is no dict of hyperparameters, or names one that the function would never get."""
    if hparams is None:
        return
    check(isinstance(hparams, Mapping), "hparams has to be a dict of names to values")
    for name in hparams:  # type: ignore[attr-defined]  # it is a Mapping
        check(isinstance(name, str), f"hparams has to be a dict of names to values, and {name!r} is no text")
        check(
            name not in INJECTED_NAMES - _BUDGETS,
            f"hparams names {name!r}: a training function that asks for it gets something else. Choose another name",
        )


def check_model(model: Any) -> None:
    """A model is made by the training function, so that every trial begins with one of its own.

    Raises ConfigError for one that was made already, or for what makes none.
    """
    if model is None or isinstance(model, type):
        return
    if isinstance(model, list | tuple):
        for each in model:
            check_model(each)
        return
    bases = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(model).__mro__}
    if not bases.isdisjoint(_MODELS) or not callable(model):
        raise ConfigError(
            f"model has to be a class, or a function that makes a model, got an object of {type(model).__name__}. All "
            f"trials would share one that is made, with what the others have learnt: give e.g. model=lambda: Net(...), "
            f"and call model() in the training function"
        )


_BUDGETS = frozenset({"budget", "resource"})
"""Nobody else gives these out where `hparams` are given."""

_MODELS = frozenset({"torch.Module", "keras.Layer", "tensorflow.Module"})


def check_whole(name: str, value: object, *, least: int, optional: bool = False) -> None:
    """Raise ConfigError for what is no whole number, or too small a one."""
    if optional and value is None:
        return
    whole = isinstance(value, Integral) and not isinstance(value, bool)  # NumPy's whole numbers too
    check(whole and value >= least, f"{name} has to be a whole number of at least {least}, got {value!r}")  # type: ignore[operator]


def is_number(value: object) -> bool:
    """Whether this is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
