"""No early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.trial import Curve


class NoStoppingRule(StoppingRule):
    """Lets every trial run to its end."""

    needs_curves: ClassVar[bool] = False

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        return GO_ON
