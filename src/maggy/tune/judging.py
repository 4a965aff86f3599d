"""Continuous ASHA whose early stops are the user's."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from math import inf, nan
from typing import TYPE_CHECKING, Any

from maggy.optimizer import ContinuousAsha, Setting, Suggestion
from maggy.trial import Trial as LagomTrial
from maggy.tune.dataset import TuneDataset
from maggy.tune.running import Plan
from maggy.tune.studies import CANDIDATE
from maggy.tune.trial import Trial, TrialReport

if TYPE_CHECKING:
    import numpy as np


class RungHeap:
    """The best reports of a rung of one partition, as early stops see them.

    capacity  how many have room
    bests     after each report, the smallest sort metric so far

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.bests: list[float] = []
        self._kept: list[tuple[float, int, TrialReport]] = []  # the best first; of equal ones that which came first

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, trial_id: object) -> bool:
        return any(report.trial_id == trial_id for _, _, report in self._kept)

    @property
    def full(self) -> bool:
        """Whether it has as many as there is room for."""
        return len(self._kept) >= self.capacity

    @property
    def best(self) -> float:
        """The smallest sort metric that was ever reported; NaN where there is none."""
        return self.bests[-1] if self.bests else nan

    def values(self) -> list[TrialReport]:
        """The reports that it holds, the best first."""
        return [report for _, _, report in self._kept]

    def push(self, report: TrialReport) -> bool:
        """Take in a report, whose sort metric is a number; whether it finds room."""
        self.bests.append(min(report.sort_metric, self.bests[-1] if self.bests else inf))
        place = (report.sort_metric, len(self.bests), report)
        insort(self._kept, place, key=lambda each: each[:2])
        return len(self._kept) <= self.capacity or self._kept.pop() is not place


StudyEarlyStop = Callable[[list[Any], Sequence[RungHeap]], bool]
TrialEarlyStop = Callable[[TrialReport, list[TrialReport], Sequence[RungHeap]], bool]


class JudgedAsha(ContinuousAsha):
    """Continuous ASHA of one partition, whose rungs the early stops can look into.

    plan              pairs of what a rung adds to the budget, and how many have room in it
    study_early_stop  called with the partition's keys and its rungs before a candidate begins: whether none begins any
                      more; those that run go on. None: when all rungs are full
    trial_early_stop  called with a report, the candidate's reports of the rungs before and the rungs, which have not
                      taken it in: whether the candidate stops here. It is not asked at the last rung. None: never

    Both are called on the driver; in their reports the metric is the sort metric.
    """

    def __init__(
        self,
        dataset: TuneDataset,
        plan: Plan,
        study_early_stop: StudyEarlyStop | None = None,
        trial_early_stop: TrialEarlyStop | None = None,
    ) -> None:
        super().__init__([(rung, keep) for rung, (_, keep) in enumerate(plan, 1)])  # a step is a rung
        self._dataset, self._increments = dataset, plan
        self._study_early_stop = study_early_stop or _all_full
        self._trial_early_stop = trial_early_stop or _never

    def prepare(self, setting: Setting) -> int:
        self._rungs = [RungHeap(keep) for _, keep in self._increments]
        self._histories: dict[str, list[TrialReport]] = {}
        self._closed = False
        return super().prepare(setting)

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        suggestion = super().suggest(n, rng)
        if isinstance(suggestion, LagomTrial):
            self._closed = self._study_early_stop(self._candidate(suggestion).keys, self._rungs)
        return None if self._closed else suggestion

    def judge(self, trial: LagomTrial, step: int, loss: float) -> str | None:
        candidate, rung = self._candidate(trial), step - 1
        history = self._histories.setdefault(candidate.trial_id, [])
        if rung < len(history):  # it has begun again, because its worker was lost
            return None
        self._report = TrialReport(candidate, loss, rung=rung, cost=self._increments[rung][0])
        if rung < len(self._rungs) - 1 and self._trial_early_stop(self._report, list(history), self._rungs):
            return "trial early stop"
        history.append(self._report)
        return None if super().judge(trial, step, loss) is None else "not best"

    def _candidate(self, trial: LagomTrial) -> Trial:
        candidate: Trial = self._dataset.trials[trial.params[CANDIDATE]]
        return candidate

    def _full(self) -> bool:
        return self._closed

    def _fits(self, number: int, loss: float, trial: int) -> bool:
        return self._rungs[number].push(self._report)


def _all_full(keys: list[Any], rungs: Sequence[RungHeap]) -> bool:
    return all(rung.full for rung in rungs)


def _never(report: TrialReport, history: list[TrialReport], rungs: Sequence[RungHeap]) -> bool:
    return False
