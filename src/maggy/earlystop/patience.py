"""Stopping a trial that does not get better any more."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.earlystop.checks import check_number, check_whole
from maggy.earlystop.losses import best_of
from maggy.trial import Curve


@dataclass
class PatienceRule(StoppingRule):
    """Stops a trial that has not improved for so many steps.

    The best loss of the last `steps` steps has to be lower than the best before them, by more than `min_delta`. A
    trial that has not reported before them is not judged. NaN and infinity are no improvement.

    steps      how long to wait, in the unit in which trials report
    min_delta  what counts as an improvement, in the unit of the metric

    Other trials do not matter to it: with `es_min=0` it judges from the second trial on.

    Raises ConfigError for `steps` below 1 and for a negative `min_delta`.
    """

    steps: int
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        check_whole("PatienceRule", steps=self.steps)
        check_number("PatienceRule", min_delta=self.min_delta, minimum=0)

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        waited = bisect_right(curve.steps, curve.steps[-1] - self.steps)
        if not waited:
            return GO_ON
        before, lately = best_of(curve.values[:waited]), best_of(curve.values[waited:])
        if lately < before - self.min_delta:
            return GO_ON
        more = f" by more than {self.min_delta:g}" if self.min_delta else ""
        return Verdict(
            stop=True,
            reason=f"patience rule: from step {curve.steps[waited - 1]} to step {curve.steps[-1]} it has not "
            f"improved on its best{more}",
        )
