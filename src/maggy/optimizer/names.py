"""Samplers by name."""

from __future__ import annotations

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer.sampler import Sampler
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

SAMPLERS: dict[str, type[Sampler]] = {
    "randomsearch": RandomSearch,
    "random": RandomSearch,
    "gridsearch": GridSearch,
    "grid": GridSearch,
    "none": SingleRun,
    "sobol": Sobol,
    "qmc": Sobol,
    "halton": Halton,
    "tpe": TPE,
    "gp": GP,
    "cmaes": CMAES,
    "nsga2": NSGA2,
    "hyperopt": HyperoptTPE,
    "hybrid": HybridSearch,
}


def sampler_named(value: object) -> Sampler:
    """Find the sampler that is meant.

    value  a name in any case, a `Sampler`, a class of one, or a sampler of Optuna

    Raises UnknownNameError for an unknown name, ConfigError for anything else.
    """
    if isinstance(value, str):
        if value.lower() not in SAMPLERS:
            raise UnknownNameError("sampler", value, SAMPLERS)
        return SAMPLERS[value.lower()]()
    if isinstance(value, type) and issubclass(value, Sampler):
        return value()
    if isinstance(value, Sampler):
        if value.pruner is not None:
            raise ConfigError(f"a sampler within another optimizer has no pruner, got pruner={value.pruner!r}")
        return value
    if is_of_optuna(value):
        return OptunaSampler(value)
    raise ConfigError(
        f"sampler must be one of {', '.join(map(repr, SAMPLERS))}, a Sampler or a sampler of Optuna, got {value!r}"
    )
