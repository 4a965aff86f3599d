"""No early stopping."""

from __future__ import annotations

from collections.abc import Sequence

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.trial import Curve


class NoStoppingRule(StoppingRule):
    """Lets every trial run to its end."""

    needs_curves: bool = False

    def __repr__(self) -> str:
        return "NoStoppingRule()"

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        return GO_ON
