"""The rules that are compared."""

from __future__ import annotations

from collections.abc import Callable

from maggy import Searchspace
from maggy.earlystop import (
    CurvePredictionRule,
    MedianStoppingRule,
    PatienceRule,
    PercentileStoppingRule,
    StoppingPolicy,
    ThresholdRule,
    TrialView,
    Verdict,
)
from maggy.optimizer import Asha, Draws, Setting, Undrawn
from maggy.trial import Direction

FINISHED_FIRST = 10
"""So many trials end before a rule is asked; ASHA, as an optimizer, judges from the first one on."""


class AshaStopping(StoppingPolicy):
    """The stopping form of ASHA, which is an optimizer, as a rule: it is asked about trials that others have drawn."""

    needs_trials = True

    def __init__(self, reduction_factor: int) -> None:
        self._asha = Asha(reduction_factor, 1, form="stopping")

    def prepare(self, direction: Direction) -> None:
        super().prepare(direction)
        space = Searchspace(number=("INTEGER", [0, 1]))
        self._draws = Draws(Undrawn(), space, seed=0, most=1, objectives=1)
        setting = Setting(space=space, num_trials=1, direction=direction, running={}, finished=[], draws=self._draws)
        self._asha.prepare(setting)

    def verdict(self, view: TrialView) -> Verdict:
        trial = view.trial
        assert trial.trial_id is not None
        if len(view.curve) == 1:
            self._draws.history.began(trial.trial_id, trial.params)
        reason = self._asha.judge(trial, view.curve.steps[-1], view.curve.values[-1])
        return Verdict(stop=reason is not None, reason=reason or "")


RULES: dict[str, Callable[[float, int], StoppingPolicy]] = {
    "median": lambda typical, epochs: MedianStoppingRule(),
    "percentile(25)": lambda typical, epochs: PercentileStoppingRule(25),
    "patience(10)": lambda typical, epochs: PatienceRule(10),
    "threshold": lambda typical, epochs: ThresholdRule(typical, after_step=epochs // 2),
    "curve prediction": lambda typical, epochs: CurvePredictionRule(),
    "curve prediction, ratio=1": lambda typical, epochs: CurvePredictionRule(ratio=1.0),
    "ASHA, eta=3": lambda typical, epochs: AshaStopping(3),
}
"""What makes each, of the loss that a typical configuration of the task ends with, and of its epochs."""
