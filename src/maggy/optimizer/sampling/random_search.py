"""Random search."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from maggy.errors import ConfigError
from maggy.optimizer.history import History
from maggy.optimizer.sampler import Sampler
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np


class RandomSearch(Sampler):
    """Draws every hyperparameter at random, each trial independently of all others.

    Source: Bergstra and Bengio, JMLR 2012.
    """

    needs_history: ClassVar[bool] = False
    objectives = "many"

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        if not space:
            raise ConfigError("random search has nothing to draw: the search space is empty; or use optimizer='none'")
        self._space = space

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params:
        return self._space.draw(rng)
