"""Evolutionary samplers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from maggy.errors import ConfigError
from maggy.optimizer.sampling.libraries import require
from maggy.optimizer.sampling.model import whole
from maggy.optimizer.sampling.optuna_sampler import StudySampler
from maggy.searchspace import Space
from maggy.searchspace.listed import Categorical

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class CMAES(StudySampler):
    """Moves a normal distribution towards the better half of each generation. Optuna's, by the library cmaes.

    population  how many trials make a generation; None for 4 + 3 ln d, with d hyperparameters

    Hyperparameters without an order are drawn at random. Failed trials are left out of their generation.

    Source: Hansen, arXiv 1604.00772.
    """

    objectives: Literal["one", "many"] = "one"
    keeps_state = True

    def __init__(
        self,
        population: int | None = None,
        *,
        pruner: str | None = None,
        pruner_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(num_warmup_trials=1, pruner=pruner, pruner_kwargs=pruner_kwargs)
        self._population = None if population is None else whole("population", population, 2)

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        require("cmaes", "CMAES", "search")
        super().begin(space, objectives, seed)
        if objectives > 1:
            raise ConfigError(f"CMA-ES cannot weigh {objectives} objectives against each other; use 'nsga2' or 'tpe'")
        if all(isinstance(parameter, Categorical) for parameter in space.parameters.values()):
            raise ConfigError("CMA-ES moves numbers, and no hyperparameter of the search space has an order; use 'tpe'")

    def _make(self, seed: int) -> BaseSampler:
        from optuna.samplers import CmaEsSampler

        return CmaEsSampler(seed=seed, popsize=self._population)


class NSGA2(StudySampler):
    """Crosses and mutates the best of the generation before, for one objective or several. Optuna's NSGA-II.

    population  how many trials make a generation, the first of which is random

    Failed trials are left out of their generation.

    Source: Deb et al., IEEE Transactions on Evolutionary Computation 2002.
    """

    keeps_state = True

    def __init__(
        self,
        population: int = 20,
        *,
        pruner: str | None = None,
        pruner_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(num_warmup_trials=1, pruner=pruner, pruner_kwargs=pruner_kwargs)
        self._population = whole("population", population, 2)

    def _make(self, seed: int) -> BaseSampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(seed=seed, population_size=self._population)
