"""Study-level stoppers: when the whole search has done enough.

On their own, or as a part of `left | right`, they end the study. Within `left & right` they say from when on a rule
stops trials.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from maggy.earlystop.base import GO_ON, StoppingPolicy, TrialView, Verdict
from maggy.earlystop.checks import check_number, check_whole, seconds
from maggy.earlystop.study import Study
from maggy.trial import Trial

_CLOCK_S = 1e-6
"""Finer than what the difference of two times in seconds since the epoch can tell."""


class StudyStopper(StoppingPolicy):
    """A condition on the study. Subclass it for one of your own: `study_verdict` is all that it needs."""

    needs_curves: bool = False
    watches_study: bool = True

    @abstractmethod
    def study_verdict(self, study: Study) -> str | None:
        """One line that says why the condition holds now, None where it does not."""

    def verdict(self, view: TrialView) -> Verdict:
        reason = self.study_verdict(view.study)
        return GO_ON if reason is None else Verdict(stop=True, reason=reason)


@dataclass
class n_samples(StudyStopper):  # noqa: N801  these are used like functions
    """Holds once so many trials have ended, failed ones included."""

    n: int

    def __post_init__(self) -> None:
        check_whole("n_samples", n=self.n)

    def study_verdict(self, study: Study) -> str | None:
        return f"{study.ended} trials have ended" if study.ended >= self.n else None


@dataclass
class n_updates(StudyStopper):  # noqa: N801
    """Holds once there have been so many improvements of the best; the first result is one."""

    n: int

    def __post_init__(self) -> None:
        check_whole("n_updates", n=self.n)

    def study_verdict(self, study: Study) -> str | None:
        return f"the best was improved {len(study.updates)} times" if len(study.updates) >= self.n else None


@dataclass
class small_improvement(StudyStopper):  # noqa: N801
    """Holds where the last so many improvements of the best, taken together, came to less than a threshold.

    threshold  in the unit of the metric, above 0
    updates    how many improvements; the first result is none, since it improves on nothing
    """

    threshold: float
    updates: int

    def __post_init__(self) -> None:
        check_number("small_improvement", threshold=self.threshold, above=0)
        check_whole("small_improvement", updates=self.updates)

    def study_verdict(self, study: Study) -> str | None:
        if len(study.updates) <= self.updates:
            return None
        gain = study.updates[-self.updates - 1].loss - study.updates[-1].loss
        if gain >= self.threshold:
            return None
        return f"the last {self.updates} improvements of the best came to {gain:.4g}, less than {self.threshold:g}"


@dataclass
class no_update_period(StudyStopper):  # noqa: N801
    """Holds where the best has not been improved for some time; it waits for the first result.

    period  seconds, a timedelta, or a text such as "30s", "5min", "1h" or "1h 30min"
    """

    period: float | timedelta | str

    def __post_init__(self) -> None:
        self._period_s = seconds("no_update_period", self.period)

    def study_verdict(self, study: Study) -> str | None:
        if study.elapsed_s + _CLOCK_S < self._end_s(study):
            return None
        return f"the best was not improved for {self._period_s:g} s"

    def next_check_s(self, study: Study) -> float:
        return inf if self.study_verdict(study) else self._end_s(study)

    def _end_s(self, study: Study) -> float:
        return study.updates[-1].t_s + self._period_s if study.updates else inf


@dataclass
class time_budget(StudyStopper):  # noqa: N801
    """Holds once so much time has gone by since the experiment began.

    period  seconds, a timedelta, or a text such as "30s", "5min", "1h" or "1h 30min"
    """

    period: float | timedelta | str

    def __post_init__(self) -> None:
        self._period_s = seconds("time_budget", self.period)

    def study_verdict(self, study: Study) -> str | None:
        if study.elapsed_s + _CLOCK_S < self._period_s:
            return None
        return f"the time budget of {self._period_s:g} s is spent"

    def next_check_s(self, study: Study) -> float:
        return inf if self.study_verdict(study) else self._period_s


@dataclass
class cost_budget(StudyStopper):  # noqa: N801
    """Holds once the trials that have ended have cost so much.

    limit  in the unit of `cost`, above 0
    cost   the cost of a trial that has ended, asked once for each; by default the seconds it occupied a worker
    """

    limit: float
    cost: Callable[[Trial], float] | None = None
    _study: Study | None = field(default=None, init=False, repr=False, compare=False)
    _read: int = field(default=0, init=False, repr=False, compare=False)
    _spent: float = field(default=0.0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("cost_budget", limit=self.limit, above=0)

    def study_verdict(self, study: Study) -> str | None:
        if study is not self._study:  # the first call of an experiment
            self._study, self._read, self._spent = study, 0, 0.0
        if self.cost is None:
            self._spent = study.worker_s
        else:
            self._spent += sum(map(self.cost, study.trials[self._read :]))
            self._read = len(study.trials)
        return f"the cost budget of {self.limit:g} is spent: {self._spent:.4g}" if self._spent >= self.limit else None
