"""Random search."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from maggy.errors import ConfigError
from maggy.optimizer.base import Optimizer, Setting
from maggy.trial import Trial

if TYPE_CHECKING:
    import numpy as np


class RandomSearch(Optimizer):
    """Draws every hyperparameter at random, each trial independently of all others.

    Source: Bergstra and Bengio, JMLR 2012.
    """

    needs_history: ClassVar[bool] = False

    def prepare(self, setting: Setting) -> int:
        if not setting.space:
            raise ConfigError("random search has nothing to draw: the search space is empty; or use optimizer='none'")
        return super().prepare(setting)

    def suggest(self, n: int, rng: np.random.Generator) -> Trial | None:
        return Trial(self.setting.space.draw(rng)) if n < self.setting.num_trials else None
