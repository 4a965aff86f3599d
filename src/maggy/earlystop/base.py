"""The contract of a built-in early-stopping rule: what to stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from maggy.trial import Curve


@dataclass(frozen=True)
class Verdict:
    """A rule's answer.

    stop    whether the trial should end now
    reason  one line that a person understands, for a stop
    """

    stop: bool
    reason: str = ""


GO_ON = Verdict(stop=False)


class StoppingRule(ABC):
    """Judges a running trial by its curve. Everything behind this contract minimises a loss.

    Called from the driver's loop at every step that is due (`es_interval`), once more than `es_min` trials
    have finished. An answer should take well under 100 microseconds.
    """

    needs_curves: ClassVar[bool] = True
    """Whether the driver has to keep curves; False lets it forget every point once it is written."""

    @abstractmethod
    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        """Decide about a trial at its newest step.

        curve     losses of the running trial so far, at least one point
        finished  losses of the trials that ended with a result, stopped ones included; the same list at every
                  call, which only grows, so that a rule may remember how far it has read
        """
