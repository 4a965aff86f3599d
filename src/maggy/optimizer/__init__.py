"""What to try next."""

from __future__ import annotations

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer.abstract import AbstractOptimizer, OptimizerAdapter
from maggy.optimizer.base import IDLE, Optimizer, Promotion, Report, Setting, Suggestion
from maggy.optimizer.draws import Draw, Draws
from maggy.optimizer.grid_search import GridSearch
from maggy.optimizer.history import Fact, History, Observation
from maggy.optimizer.random_search import RandomSearch
from maggy.optimizer.sampler import Sampler, Undrawn
from maggy.optimizer.single_run import SingleRun

__all__ = [
    "IDLE",
    "AbstractOptimizer",
    "Draw",
    "Draws",
    "Fact",
    "GridSearch",
    "History",
    "Observation",
    "Optimizer",
    "OptimizerAdapter",
    "Promotion",
    "RandomSearch",
    "Report",
    "Sampler",
    "Setting",
    "SingleRun",
    "Suggestion",
    "Undrawn",
    "resolve",
]

BY_NAME: dict[str, type[Optimizer]] = {
    "randomsearch": RandomSearch,
    "random": RandomSearch,
    "gridsearch": GridSearch,
    "grid": GridSearch,
    "none": SingleRun,
}


def resolve(optimizer: object) -> Optimizer:
    """Find the optimizer that a config means.

    optimizer  a name in any case, an `Optimizer`, an `AbstractOptimizer`, a class of either, or None for `SingleRun`

    Raises UnknownNameError for an unknown name, ConfigError for anything else.
    """
    if optimizer is None:
        return SingleRun()
    if isinstance(optimizer, str):
        if optimizer.lower() not in BY_NAME:
            raise UnknownNameError("optimizer", optimizer, BY_NAME)
        return BY_NAME[optimizer.lower()]()
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer | AbstractOptimizer):
        optimizer = optimizer()
    if isinstance(optimizer, AbstractOptimizer):
        return OptimizerAdapter(optimizer)
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise ConfigError(
        f"optimizer must be one of {', '.join(map(repr, BY_NAME))}, an Optimizer or an AbstractOptimizer, "
        f"got {optimizer!r}"
    )
