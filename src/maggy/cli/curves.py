"""Learning curves for `maggy simulate`: those of an experiment that was recorded, or made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maggy.errors import ConfigError
from maggy.searchspace import Space
from maggy.simulation import LearningCurve
from maggy.trial import Direction, Params, TrialState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from maggy.chronicle import Chronicle


class RecordedCurves:
    """Each configuration gets the curve of the nearest one that was trained to its end.

    Raises ConfigError if none was.
    """

    def __init__(self, chronicle: Chronicle, space: Space) -> None:
        import numpy as np

        trials = [trial for trial in chronicle.ended if trial.state is TrialState.FINISHED]
        if not trials:
            raise ConfigError(f"no trial of {chronicle.about.url} was trained to its end, so there is nothing to go by")
        self._space = space
        self._points = np.stack([self._point(trial.params) for trial in trials])
        self._curves = []
        for trial in trials:
            assert trial.final_metric is not None
            values = [*trial.metric_history[:-1], trial.final_metric]
            self._curves.append(LearningCurve(values, trial.run_s / len(values)))

    def __call__(self, params: Params) -> LearningCurve:
        """The curve of a configuration."""
        import numpy as np

        distances = ((self._points - self._point(params)) ** 2).sum(axis=1)
        return self._curves[int(np.argmin(distances))]

    def _point(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        import numpy as np

        return np.nan_to_num(self._space.encode(params), nan=-1.0)  # far from all that exists


class MadeUpCurves:
    """A smooth landscape with one optimum somewhere, in which every trial comes nearer to its own value with each
    step, fast at first. Trials take half to one and a half of the usual time.

    steps   of each trial
    step_s  seconds of each step, as a rule
    """

    def __init__(self, space: Space, direction: Direction, *, steps: int, step_s: float, seed: int) -> None:
        import numpy as np

        self._space, self._steps, self._step_s = space, steps, step_s
        self._sign = 1.0 if direction == "min" else -1.0
        self._optimum = np.random.default_rng(seed).random(len(space.parameters))

    def __call__(self, params: Params) -> LearningCurve:
        """The curve of a configuration."""
        import numpy as np

        point = self._space.encode(params)
        there = ~np.isnan(point)
        loss = float(np.mean((point - self._optimum)[there] ** 2)) if there.any() else 0.0
        pace = 0.5 + (float(np.mean(point[there])) if there.any() else 0.5)
        values = [self._sign * (loss + 0.5 * step**-0.7) for step in range(1, self._steps + 1)]
        return LearningCurve(values, self._step_s * pace)
