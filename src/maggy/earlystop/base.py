"""The contract of early stopping: what to stop, and when to end it all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

from maggy.arguments import KeepsArguments
from maggy.earlystop.study import Study
from maggy.trial import Curve, Direction, Trial


@dataclass(frozen=True)
class Verdict:
    """An answer about a running trial.

    stop         whether the trial should end now
    reason       one line that a person understands, for a stop
    probability  of the trial becoming the best, where a rule has predicted it; also when the trial goes on
    """

    stop: bool
    reason: str = ""
    probability: float | None = None


GO_ON = Verdict(stop=False)
"""Answer of a rule that has nothing against a trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """A running trial at its newest step, and all that a policy may compare it with.

    curve     its losses so far, at least one point
    finished  losses of the trials that ended with a result, see `StoppingRule.judge`
    trial     the trial itself, in the user's sign; with its curve where the policy `needs_trials`
    results   the trials that ended with a result, likewise
    study     the experiment as a whole
    """

    curve: Curve = field(default_factory=Curve)
    finished: Sequence[Curve] = ()
    trial: Trial = field(default_factory=lambda: Trial({}))
    results: Sequence[Trial] = ()
    study: Study = field(default_factory=Study)


class Combinable:
    """Whatever may stand on either side of `&` and `|`."""

    def as_policy(self) -> StoppingPolicy:
        """The policy that this means."""
        raise NotImplementedError

    def __and__(self, other: object) -> StoppingPolicy:
        return Both(self.as_policy(), other.as_policy()) if isinstance(other, Combinable) else NotImplemented

    def __or__(self, other: object) -> StoppingPolicy:
        return Either(self.as_policy(), other.as_policy()) if isinstance(other, Combinable) else NotImplemented


class StoppingPolicy(KeepsArguments, Combinable, ABC):
    """What the driver asks: about each running trial, and about the study as a whole.

    A policy is a `StoppingRule`, a rule of the developer API, a study-level stopper, or a combination of these.
    """

    direction: Direction = "min"
    """The user's direction; only what a rule is given, or says, in the metric's sign depends on it."""

    needs_curves: bool = True
    """Whether trials are judged by what they report; False lets the driver forget every point once it is written."""

    needs_trials: bool = False
    """Whether it reads trials and their curves in the user's sign: all of them stay in the driver's memory for it."""

    watches_study: bool = False
    """Whether it reads the study, whose trials all stay in the driver's memory for it."""

    def as_policy(self) -> StoppingPolicy:
        return self

    def prepare(self, direction: Direction) -> None:
        """Called once, before the experiment."""
        self.direction = direction

    @abstractmethod
    def verdict(self, view: TrialView) -> Verdict:
        """Decide about a running trial at its newest step."""

    def study_verdict(self, study: Study) -> str | None:
        """The reason to end the study now, None to go on. Rules about single trials have none."""
        return None

    def next_check_s(self, study: Study) -> float:
        """When `study_verdict` may change although nothing happens: a time after `study.elapsed_s`, or infinity."""
        return inf

    def metric(self, loss: float) -> float:
        """A loss in the user's sign."""
        return -loss if self.direction == "max" else loss


class StoppingRule(StoppingPolicy):
    """Judges a running trial by its curve. Everything behind this contract minimises a loss.

    Called from the driver's loop at every step that is due (`es_interval`), once more than `es_min` trials
    have finished. An answer should take well under 100 microseconds.
    """

    @abstractmethod
    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        """Decide about a trial at its newest step.

        curve     losses of the running trial so far, at least one point
        finished  losses of the trials that ended with a result, stopped ones included; the same list at every
                  call, which only grows, so that a rule may remember how far it has read. A trial that ran on after
                  it had ended is in it again, with all its points; what is new begins after its step `since`
        """

    def verdict(self, view: TrialView) -> Verdict:
        return self.judge(view.curve, view.finished)


class _Combination(StoppingPolicy):
    """Two policies, both of which are asked each time."""

    sign: ClassVar[str]

    def __init__(self, left: StoppingPolicy, right: StoppingPolicy) -> None:
        self.left, self.right = left, right
        self.needs_curves = left.needs_curves or right.needs_curves
        self.needs_trials = left.needs_trials or right.needs_trials
        self.watches_study = left.watches_study or right.watches_study

    def __repr__(self) -> str:
        return f"({self.left!r} {self.sign} {self.right!r})"

    def prepare(self, direction: Direction) -> None:
        super().prepare(direction)
        self.left.prepare(direction)
        self.right.prepare(direction)

    def verdict(self, view: TrialView) -> Verdict:
        left, right = self.left.verdict(view), self.right.verdict(view)
        reason = self._reason(left.reason if left.stop else None, right.reason if right.stop else None)
        probability = right.probability if left.probability is None else left.probability
        if reason is None and probability is None:
            return GO_ON
        return Verdict(stop=reason is not None, reason=reason or "", probability=probability)

    def study_verdict(self, study: Study) -> str | None:
        return self._reason(self.left.study_verdict(study), self.right.study_verdict(study))

    def next_check_s(self, study: Study) -> float:
        return min(self.left.next_check_s(study), self.right.next_check_s(study))

    def _reason(self, left: str | None, right: str | None) -> str | None:
        """The reason to stop that follows from those of the parts; None for a part that does not say stop."""
        raise NotImplementedError


class Both(_Combination):
    """Stops where both say so: `left & right`."""

    sign = "&"

    def _reason(self, left: str | None, right: str | None) -> str | None:
        return None if left is None or right is None else f"{left}, and {right}"


class Either(_Combination):
    """Stops where one of the two says so: `left | right`."""

    sign = "|"

    def _reason(self, left: str | None, right: str | None) -> str | None:
        return right if left is None else left
