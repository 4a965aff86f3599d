"""The same run, once or several times."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from maggy.errors import ConfigError
from maggy.optimizer.history import History
from maggy.optimizer.sampler import Sampler
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np


class SingleRun(Sampler):
    """Runs the training function `num_trials` times without hyperparameters."""

    needs_history: ClassVar[bool] = False
    origin: ClassVar[str] = "none"
    objectives = "many"

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        if space:
            raise ConfigError(
                f"nothing would choose a value for {', '.join(space.keys())}: optimizer='none' takes an empty "
                "search space; or use optimizer='randomsearch'"
            )

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params:
        return {}
