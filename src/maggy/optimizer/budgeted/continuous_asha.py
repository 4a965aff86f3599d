"""Continuous ASHA, as in Fugue-Tune."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappush, heappushpop
from math import isfinite
from typing import TYPE_CHECKING

from maggy.errors import ConfigError
from maggy.optimizer.base import Optimizer, Report, Setting, Suggestion
from maggy.optimizer.budgeted.budgets import show
from maggy.optimizer.budgeted.milestones import Milestones
from maggy.optimizer.budgeted.plan import Plan
from maggy.optimizer.names import sampler_named
from maggy.trial import Trial

if TYPE_CHECKING:
    import numpy as np


class ContinuousAsha(Optimizer):
    """Stops a trial that is not among the best `keep` that have come as far, and so never goes beyond its plan.

    plan     a `Plan` or a list of `(budget, keep)`; budgets are steps that a trial broadcasts
    sampler  draws the configurations: a name or a `Sampler`

    With the first step at or beyond a budget a trial takes its place in that rung, which has room for the best `keep`.
    It goes on if it finds room there: the first `keep` always do, and later ones drive out the worst, which itself runs
    on to its next budget. Beyond the last rung every trial is stopped. When all rungs are full no new trial begins.
    Needs neither checkpoints nor an argument `budget`.

    Source: Fugue-Tune's continuous ASHA.

    Raises ConfigError for a list that is no plan.
    """

    def __init__(
        self,
        plan: Plan | Iterable[tuple[float, int]] = ((1, 27), (3, 9), (9, 3), (27, 1)),
        *,
        sampler: object = "random",
    ) -> None:
        self.plan = Plan.of(plan)
        if self.plan.n is not None:
            raise ConfigError("a plan for continuous ASHA has no n: trials begin until all of its rungs are full")
        self.sampler = sampler_named(sampler)

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        self.judges = True
        self._milestones = Milestones([budget for budget, _ in self.plan.rungs])
        self._best: list[list[tuple[float, int]]] = [[] for _ in self.plan.rungs]  # of each rung a heap, worst on top
        return setting.draws.most

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        if self._full():
            return None
        draw = self.setting.draws.fresh()
        if draw is None:
            return None
        return draw.trial(budget=self.plan.rungs[-1][0] if self.setting.takes_budget else None)

    def judge(self, trial: Trial, step: int, loss: float) -> str | None:
        assert trial.trial_id is not None
        number = self._milestones.reached(trial.trial_id, step)
        fits = True
        if number is not None:
            budget, keep = self.plan.rungs[number]
            self.setting.draws.history.observed(trial.trial_id, (loss,), budget, runs=True)
            fits = isfinite(loss) and self._fits(number, loss, trial.trial_id)
        if self._milestones.ends(step):
            return f"continuous asha: it has gone beyond step {show(self.plan.rungs[-1][0])}, the last rung"
        if number is None or number == len(self.plan.rungs) - 1 or fits:
            return None
        return f"continuous asha: not among the best {keep} at step {show(budget)}"

    def observe(self, report: Report) -> None:
        assert report.trial.trial_id is not None
        self._milestones.leave(report.trial.trial_id)

    def _full(self) -> bool:
        return all(len(best) == keep for best, (_, keep) in zip(self._best, self.plan.rungs, strict=True))

    def _fits(self, number: int, loss: float, trial: int) -> bool:
        best, place = self._best[number], (-loss, -trial)
        if len(best) < self.plan.rungs[number][1]:
            heappush(best, place)
            return True
        return heappushpop(best, place) != place
