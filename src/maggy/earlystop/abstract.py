"""The developer API for early stopping, and what lets the driver ask it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from inspect import getattr_static, isfunction, signature
from typing import Any

from maggy.earlystop.base import GO_ON, Combinable, StoppingPolicy, TrialView, Verdict
from maggy.errors import ConfigError
from maggy.trial import Direction, Trial

_IDS = (list, tuple, set, frozenset)
"""What a rule of the older form may return."""


class AbstractEarlyStop(Combinable, ABC):
    """Base of your own rule: say whether a running trial should be stopped."""

    @staticmethod
    @abstractmethod
    def earlystop_check(to_check: Any, finalized_trials: Sequence[Trial], direction: Direction) -> Any:
        """Decide about a trial at its newest step.

        to_check          the running trial, with `metric_history` and `step_history`
        finalized_trials  the trials that ended with a result, stopped ones included, in order
        direction         "min" or "max"; metrics have the user's sign

        Returns the trial's id to stop it, None to let it go on.

        The form up to version 0.4.2 works too: `to_check` is a dict of running trials by id, and a list of the ids to
        stop is returned. The dict then holds the one trial that is due.
        """

    def as_policy(self) -> StoppingPolicy:
        return EarlyStopAdapter(self)


class EarlyStopAdapter(StoppingPolicy):
    """Asks an `AbstractEarlyStop` about one trial, in the form in which it wants to be asked.

    policy  the user's rule; `earlystop_check` may be a static method, a method, or, as in the seeds, a function
            without `self`
    """

    needs_trials: bool = True

    def __init__(self, policy: AbstractEarlyStop) -> None:
        self.policy = policy
        self._earlystop_check = _callable_on(policy)
        self._takes_dict = False

    def __repr__(self) -> str:
        return repr(self.policy)

    def verdict(self, view: TrialView) -> Verdict:
        return self.check(view.trial, view.results, self.direction)

    def check(self, trial: Trial, finished: Sequence[Trial], direction: Direction) -> Verdict:
        """Decide about a running trial at its newest step. Curves and metrics have the user's sign.

        trial     has a curve with at least one point
        finished  the trials that ended with a result, with their curves

        Raises what the rule raises, ConfigError if its answer makes no sense.
        """
        answer = self._answer(trial, finished, direction)
        if answer is None or answer is False:
            return GO_ON
        if isinstance(answer, _IDS):
            stop = trial.trial_id in answer
        elif answer is True or answer == trial.trial_id:
            stop = True
        else:
            raise ConfigError(
                f"{type(self.policy).__name__}.earlystop_check must return the id of the trial it was asked about "
                f"({trial.trial_id}) or None, got {answer!r}"
            )
        return Verdict(stop=True, reason=f"stopped by {type(self.policy).__name__}") if stop else GO_ON

    def _answer(self, trial: Trial, finished: Sequence[Trial], direction: Direction) -> Any:
        as_dict = {trial.trial_id: trial}
        if self._takes_dict:
            return self._earlystop_check(as_dict, finished, direction)
        try:
            return self._earlystop_check(trial, finished, direction)
        except (AttributeError, TypeError) as error:
            # A rule of the older form fails like this on a trial, but so does a rule with a mistake in it.
            # Only one that answers a dict with a list is of the older form.
            try:
                answer = self._earlystop_check(as_dict, finished, direction)
            except Exception:
                raise error from None
            if not isinstance(answer, _IDS):
                raise
            self._takes_dict = True
            return answer


def _callable_on(policy: AbstractEarlyStop) -> Callable[..., Any]:
    check = getattr_static(type(policy), "earlystop_check")
    if isfunction(check) and len(signature(check).parameters) == 3:
        return check
    return policy.earlystop_check
