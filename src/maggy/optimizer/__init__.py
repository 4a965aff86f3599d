"""What to try next."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer.abstract import AbstractOptimizer, OptimizerAdapter
from maggy.optimizer.asha import Asha
from maggy.optimizer.base import IDLE, Optimizer, Promotion, Report, Setting, Suggestion
from maggy.optimizer.continuous_asha import ContinuousAsha
from maggy.optimizer.draws import Draw, Draws
from maggy.optimizer.grid_search import GridSearch
from maggy.optimizer.history import Fact, History, Observation
from maggy.optimizer.hyperband import Hyperband
from maggy.optimizer.names import sampler_named
from maggy.optimizer.pbt import PBT
from maggy.optimizer.plan import Plan
from maggy.optimizer.random_search import RandomSearch
from maggy.optimizer.sampler import Sampler, Undrawn
from maggy.optimizer.single_run import SingleRun
from maggy.optimizer.successive_halving import SuccessiveHalving

__all__ = [
    "IDLE",
    "PBT",
    "AbstractOptimizer",
    "Asha",
    "ContinuousAsha",
    "Draw",
    "Draws",
    "Fact",
    "GridSearch",
    "History",
    "Hyperband",
    "Observation",
    "Optimizer",
    "OptimizerAdapter",
    "Plan",
    "Promotion",
    "RandomSearch",
    "Report",
    "Sampler",
    "Setting",
    "SingleRun",
    "SuccessiveHalving",
    "Suggestion",
    "Undrawn",
    "resolve",
    "sampler_named",
]

BY_NAME: dict[str, Callable[[], Optimizer]] = {
    "randomsearch": RandomSearch,
    "random": RandomSearch,
    "gridsearch": GridSearch,
    "grid": GridSearch,
    "none": SingleRun,
    "asha": Asha,
    "mobster": lambda: Asha(sampler="gp"),
    "successivehalving": SuccessiveHalving,
    "sha": SuccessiveHalving,
    "hyperband": Hyperband,
    "bohb": lambda: Hyperband(sampler="tpe"),
    "continuousasha": ContinuousAsha,
    "pbt": PBT,
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
    if isinstance(optimizer, Sampler) and optimizer.pruner is not None:
        return _pruned(optimizer)
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise ConfigError(
        f"optimizer must be one of {', '.join(map(repr, BY_NAME))}, an Optimizer or an AbstractOptimizer, "
        f"got {optimizer!r}"
    )


def _pruned(sampler: Sampler) -> Optimizer:
    """The historical `RandomSearch(pruner="hyperband", pruner_kwargs={...})`."""
    if str(sampler.pruner).lower() != "hyperband":
        raise UnknownNameError("pruner", sampler.pruner, ["hyperband"])
    plain = copy(sampler)
    plain.pruner = None
    try:
        return Hyperband(**sampler.pruner_kwargs, sampler=plain)
    except TypeError as error:
        raise ConfigError(
            f"pruner_kwargs={sampler.pruner_kwargs!r} are not arguments of Hyperband, which takes min_budget, "
            f"max_budget, eta and n_iterations: {error}"
        ) from None
