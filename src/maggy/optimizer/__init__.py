"""What to try next."""

from __future__ import annotations

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer.abstract import AbstractOptimizer, OptimizerAdapter
from maggy.optimizer.base import IDLE, Optimizer, Promotion, Report, Setting, Suggestion
from maggy.optimizer.draws import Draw, Draws
from maggy.optimizer.evolution import CMAES, NSGA2
from maggy.optimizer.gp import GP
from maggy.optimizer.grid_search import GridSearch
from maggy.optimizer.history import Fact, History, Observation
from maggy.optimizer.hybrid import HybridSearch
from maggy.optimizer.hyperopt_tpe import HyperoptTPE
from maggy.optimizer.names import SAMPLERS, sampler_named
from maggy.optimizer.optuna_sampler import OptunaSampler, is_of_optuna
from maggy.optimizer.quasi_random import Halton, Sobol
from maggy.optimizer.random_search import RandomSearch
from maggy.optimizer.sampler import Sampler, Undrawn
from maggy.optimizer.single_run import SingleRun
from maggy.optimizer.tpe import TPE

__all__ = [
    "CMAES",
    "GP",
    "IDLE",
    "NSGA2",
    "TPE",
    "AbstractOptimizer",
    "Draw",
    "Draws",
    "Fact",
    "GridSearch",
    "Halton",
    "History",
    "HybridSearch",
    "HyperoptTPE",
    "Observation",
    "Optimizer",
    "OptimizerAdapter",
    "OptunaSampler",
    "Promotion",
    "RandomSearch",
    "Report",
    "Sampler",
    "Setting",
    "SingleRun",
    "Sobol",
    "Suggestion",
    "Undrawn",
    "resolve",
    "sampler_named",
]

BY_NAME: dict[str, type[Optimizer]] = {**SAMPLERS}


def resolve(optimizer: object) -> Optimizer:
    """Find the optimizer that a config means.

    optimizer  a name in any case, an `Optimizer`, an `AbstractOptimizer`, a class of either, a sampler of Optuna, or None
               for `SingleRun`

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
    if is_of_optuna(optimizer):
        return sampler_named(optimizer)
    raise ConfigError(
        f"optimizer must be one of {', '.join(map(repr, BY_NAME))}, an Optimizer or an AbstractOptimizer, "
        f"got {optimizer!r}"
    )
