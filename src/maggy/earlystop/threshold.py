"""Stopping a trial that does not reach a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.earlystop.checks import check_number, check_whole
from maggy.earlystop.losses import best_of
from maggy.trial import Curve


@dataclass
class ThresholdRule(StoppingRule):
    """Stops a trial whose best so far is worse than a value, from some step on.

    NaN and infinity are worse than any value.

    worse_than  in the metric's own sign: with direction "max", what lies below is worse
    after_step  the first step that is judged

    Other trials do not matter to it: with `es_min=0` it judges from the second trial on.

    Raises ConfigError for what is no finite number or no step.
    """

    worse_than: float
    after_step: int = 0

    def __post_init__(self) -> None:
        check_number("ThresholdRule", worse_than=self.worse_than)
        check_whole("ThresholdRule", after_step=self.after_step, minimum=0)

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        step = curve.steps[-1]
        if step < self.after_step:
            return GO_ON
        best = self.metric(best_of(curve.values))
        if not (best < self.worse_than if self.direction == "max" else best > self.worse_than):
            return GO_ON
        return Verdict(
            stop=True, reason=f"threshold rule: its best by step {step}, {best:.4g}, is worse than {self.worse_than:g}"
        )
