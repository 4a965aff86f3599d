"""The same run, once or several times."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from maggy.errors import ConfigError
from maggy.optimizer.base import Optimizer, Setting
from maggy.trial import Trial

if TYPE_CHECKING:
    import numpy as np


class SingleRun(Optimizer):
    """Runs the training function `num_trials` times without hyperparameters."""

    needs_history: ClassVar[bool] = False

    def prepare(self, setting: Setting) -> int:
        if setting.space:
            raise ConfigError(
                f"nothing would choose a value for {', '.join(setting.space.keys())}: optimizer='none' takes an empty "
                "search space; or use optimizer='randomsearch'"
            )
        return super().prepare(setting)

    def suggest(self, n: int, rng: np.random.Generator) -> Trial | None:
        return Trial({}) if n < self.setting.num_trials else None
