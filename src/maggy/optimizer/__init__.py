"""What to try next."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer.abstract import AbstractOptimizer, OptimizerAdapter
from maggy.optimizer.base import IDLE, Optimizer, Promotion, Report, Setting, Suggestion
from maggy.optimizer.budgeted.asha import Asha
from maggy.optimizer.budgeted.continuous_asha import ContinuousAsha
from maggy.optimizer.budgeted.hyperband import Hyperband
from maggy.optimizer.budgeted.pbt import PBT
from maggy.optimizer.budgeted.plan import Plan
from maggy.optimizer.budgeted.successive_halving import SuccessiveHalving
from maggy.optimizer.draws import Draw, Draws
from maggy.optimizer.history import Fact, History, Observation
from maggy.optimizer.names import SAMPLERS, sampler_named
from maggy.optimizer.sampler import Sampler, Undrawn
from maggy.optimizer.sampling.evolution import CMAES, NSGA2
from maggy.optimizer.sampling.gp import GP
from maggy.optimizer.sampling.grid_search import GridSearch
from maggy.optimizer.sampling.hybrid import HybridSearch
from maggy.optimizer.sampling.hyperopt_tpe import HyperoptTPE
from maggy.optimizer.sampling.optuna_sampler import OptunaSampler, is_of_optuna
from maggy.optimizer.sampling.quasi_random import Halton, Sobol
from maggy.optimizer.sampling.random_search import RandomSearch
from maggy.optimizer.sampling.single_run import SingleRun
from maggy.optimizer.sampling.tpe import TPE

__all__ = [
    "CMAES",
    "GP",
    "IDLE",
    "NSGA2",
    "PBT",
    "TPE",
    "AbstractOptimizer",
    "Asha",
    "ContinuousAsha",
    "Draw",
    "Draws",
    "Fact",
    "GridSearch",
    "Halton",
    "History",
    "HybridSearch",
    "Hyperband",
    "HyperoptTPE",
    "Observation",
    "Optimizer",
    "OptimizerAdapter",
    "OptunaSampler",
    "Plan",
    "Promotion",
    "RandomSearch",
    "Report",
    "Sampler",
    "Setting",
    "SingleRun",
    "Sobol",
    "SuccessiveHalving",
    "Suggestion",
    "Undrawn",
    "resolve",
    "sampler_named",
]

BY_NAME: dict[str, Callable[[], Optimizer]] = {
    **SAMPLERS,
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

    optimizer  a name in any case, an `Optimizer`, an `AbstractOptimizer`, a class of either, a sampler of Optuna, or
               None for `SingleRun`

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
    if is_of_optuna(optimizer):
        return sampler_named(optimizer)
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
