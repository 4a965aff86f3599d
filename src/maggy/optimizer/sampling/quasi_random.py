"""Quasi-random search: points that cover the space more evenly than random ones."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from maggy.errors import ConfigError
from maggy.optimizer.history import History
from maggy.optimizer.sampler import Sampler
from maggy.optimizer.sampling.libraries import require
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np


class QuasiRandom(Sampler):
    """Draw number `n` is point `n` of a sequence, scrambled by the seed of the experiment.

    A point that is forbidden is replaced by a random configuration.
    """

    needs_history: ClassVar[bool] = False
    origin: ClassVar[str] = "quasi-random"
    objectives = "many"

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        if not space.parameters:
            raise ConfigError(
                f"optimizer {type(self).__name__} has nothing to choose: the search space has no hyperparameters; "
                "or use optimizer='none'"
            )
        self._space = space
        require("scipy", type(self).__name__, "search")
        from scipy.stats import qmc

        self._points = self._sequence(qmc, seed)

    @abstractmethod
    def _sequence(self, qmc: Any, seed: int) -> Any:
        """The sequence, from scipy's module for them."""

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params:
        if self._points.num_generated != number:
            self._points.reset()
            if number:
                self._points.fast_forward(number)
        params = self._space.decode(self._points.random(1)[0])
        return params if self._space.allows(params) else self._space.draw(rng)


class Sobol(QuasiRandom):
    """The scrambled Sobol' sequence. It is at its best with 2, 4, 8, 16 ... trials.

    Source: Owen, "Scrambling Sobol' and Niederreiter-Xing points", J. Complexity 1998; for hyperparameters Bergstra and
    Bengio, JMLR 2012.
    """

    def _sequence(self, qmc: Any, seed: int) -> Any:
        return qmc.Sobol(len(self._space.parameters), rng=seed)


class Halton(QuasiRandom):
    """The scrambled Halton sequence, at its best with few hyperparameters and any number of trials.

    Source: Owen, "A randomized Halton algorithm in R", arXiv 1706.02808.
    """

    def _sequence(self, qmc: Any, seed: int) -> Any:
        return qmc.Halton(len(self._space.parameters), rng=seed)
