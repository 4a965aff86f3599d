"""ASHA: successive halving that never waits."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Literal

from maggy.errors import ConfigError
from maggy.optimizer.base import IDLE, Optimizer, Promotion, Report, Setting, Suggestion
from maggy.optimizer.budgeted.budgets import (
    ENDLESS,
    check_budgets,
    check_count,
    check_function,
    geometric,
    loss_at_budget,
    ordinal,
    show,
    worst_if_not_finite,
)
from maggy.optimizer.budgeted.milestones import Milestones
from maggy.optimizer.budgeted.rung import Rung
from maggy.optimizer.names import sampler_named
from maggy.trial import Trial, TrialState

if TYPE_CHECKING:
    import numpy as np

Form = Literal["promotion", "stopping"]


class Asha(Optimizer):
    """Gives every configuration a little, and more to the best 1/eta at each budget, without ever waiting.

    reduction_factor  eta: only the best 1/eta at a budget go on to the next, which is eta times as large
    resource_min      the smallest budget, in the unit of the function's `budget` or of its steps
    resource_max      the largest budget is the last `resource_min * eta**k` up to this. None: `resource_min * eta**2`
                      in the promotion form; in the stopping form there is no largest one
    sampler           draws the fresh configurations: a name or a `Sampler`
    form              "promotion": a trial returns at its budget, and goes on from its checkpoint if it is promoted
                      later. "stopping": a trial runs until it is stopped; budgets are steps that it broadcasts. None:
                      "promotion" if the training function asks for a `budget`, else "stopping"
    brackets          bracket s starts at `resource_min * eta**s`; there are this many

    Promotion form (algorithm 2 of Li et al., arXiv 1810.05934): whenever a worker asks, the rungs are searched from the
    last but one downwards for a trial that is among the best floor(n / eta) of the n that have come to that rung and
    has not been promoted. The best such trial goes on; if there is none, a fresh configuration starts in rung 0. A
    trial that failed, or was stopped by a rule, or returned NaN or infinity counts as the worst in its rung.

    Stopping form (as in Syne Tune): with the first step at or beyond a budget a trial is ranked there among the n
    trials that have come so far, itself included. It goes on if at most ceil(n / eta) - 1 are better, and is stopped
    otherwise; so the first one to arrive goes on. Beyond the largest budget it is stopped in any case. A trial that
    fails or that a rule stops counts as the worst at the next budget.

    With several brackets a fresh configuration enters the one that will have cost least with it: a configuration of
    bracket s counts `eta**s` times the number of its rungs. So all brackets cost about the same, as in Hyperband.

    Raises ConfigError for budgets that make no rungs, and for the promotion form with a function without `budget`.
    """

    def __init__(
        self,
        reduction_factor: int = 2,
        resource_min: float = 1,
        resource_max: float | None = None,
        *,
        sampler: object = "random",
        form: Form | None = None,
        brackets: int = 1,
    ) -> None:
        check_budgets(
            resource_min, resource_max, reduction_factor, ("resource_min", "resource_max", "reduction_factor")
        )
        if form not in ("promotion", "stopping", None):
            raise ConfigError(f"form must be 'promotion', 'stopping' or None, got {form!r}")
        check_count("brackets", brackets)
        self.reduction_factor, self.resource_min, self.resource_max = reduction_factor, resource_min, resource_max
        self.sampler = sampler_named(sampler)
        self.form, self.brackets = form, brackets

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        form = self.form or ("promotion" if setting.takes_budget else "stopping")
        self.promotes, self.judges = form == "promotion", form == "stopping"
        if self.promotes:
            check_function(setting, "the promotion form of ASHA")
        budgets = self._budgets()
        if self.brackets > len(budgets):
            raise ConfigError(
                f"brackets={self.brackets} is too many: there are {len(budgets)} rungs, with the budgets "
                f"{', '.join(map(show, budgets))}, and each bracket starts one rung higher"
            )
        self._rungs = [[Rung(budget) for budget in budgets[bracket:]] for bracket in range(self.brackets)]
        self._entered = [0] * self.brackets
        # The promotion form: rungs that promote, the largest budget first; which rung promoted trials are on their way
        # to; and how many trials are on their way to one that promotes.
        self._promoting = sorted(
            ((bracket, number) for bracket, rungs in enumerate(self._rungs) for number in range(len(rungs) - 1)),
            key=lambda place: -self._rungs[place[0]][place[1]].budget,
        )
        self._promoted: dict[int, int] = {}
        self._on_their_way = 0
        # The stopping form: how far trials have come, and which have been stopped here and not by another rule.
        self._milestones = [Milestones([rung.budget for rung in rungs]) for rungs in self._rungs]
        self._stopped: set[int] = set()
        return setting.draws.most

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        return (self._promotion() or self._fresh()) if self.promotes else self._fresh()

    def judge(self, trial: Trial, step: int, loss: float) -> str | None:
        assert trial.trial_id is not None
        bracket = trial.bracket or 0
        rungs, milestones = self._rungs[bracket], self._milestones[bracket]
        number = milestones.reached(trial.trial_id, step)
        if number is not None:
            rung = rungs[number]
            self.setting.draws.history.observed(trial.trial_id, (loss,), rung.budget, runs=True)
            rank = rung.add(worst_if_not_finite(loss), trial.trial_id)
        if milestones.ends(step):
            reason = f"asha: it has gone beyond step {show(rungs[-1].budget)}, the last rung"
        elif number is None or number == len(rungs) - 1:
            return None
        elif worst_if_not_finite(loss) == inf:
            reason = f"asha: its metric at step {show(rung.budget)} is no finite number"
        elif (rank - 1) * self.reduction_factor < len(rung):
            return None
        else:
            reason = (
                f"asha: {ordinal(rank)} of {len(rung)} at step {show(rung.budget)}, "
                f"the best 1/{self.reduction_factor} go on"
            )
        self._stopped.add(trial.trial_id)
        return reason

    def observe(self, report: Report) -> None:
        trial = report.trial
        assert trial.trial_id is not None
        rungs = self._rungs[trial.bracket or 0]
        if self.promotes:
            number = self._promoted.pop(trial.trial_id, 0)
            rungs[number].add(loss_at_budget(report), trial.trial_id)
            self._on_their_way -= number < len(rungs) - 1
            return
        number = self._milestones[trial.bracket or 0].leave(trial.trial_id)
        stopped_here = trial.trial_id in self._stopped
        self._stopped.discard(trial.trial_id)
        cut_short = report.loss is None or (trial.state is TrialState.STOPPED and not stopped_here)
        if cut_short and number < len(rungs):
            rungs[number].add(inf, trial.trial_id)

    def _promotion(self) -> Promotion | None:
        for bracket, number in self._promoting:
            rung = self._rungs[bracket][number]
            promotable = rung.promotable(self.reduction_factor)
            if promotable is not None:
                rung.promote()
                trial, rank = promotable
                following = self._rungs[bracket][number + 1]
                resumable = number + 2 < len(self._rungs[bracket])
                self._promoted[trial] = number + 1
                self._on_their_way += resumable
                return Promotion(
                    trial=trial,
                    budget=following.budget,
                    rung=number + 1,
                    resumable=resumable,
                    reason=f"promoted to budget {show(following.budget)}: {ordinal(rank)} of {len(rung)} at budget "
                    f"{show(rung.budget)}, the best 1/{self.reduction_factor} go on",
                )
        return None

    def _fresh(self) -> Suggestion:
        draw = self.setting.draws.fresh()
        if draw is None:
            return IDLE if self._on_their_way else None
        bracket = min(range(self.brackets), key=lambda bracket: (self._entered[bracket] + 1) * self._cost(bracket))
        self._entered[bracket] += 1
        place = {} if self.brackets == 1 else {"bracket": bracket}
        rungs = self._rungs[bracket]
        if self.promotes:
            resumable = len(rungs) > 1
            self._on_their_way += resumable
            return draw.trial(budget=rungs[0].budget, rung=0, resumable=resumable, **place)
        return draw.trial(budget=rungs[-1].budget if self.setting.takes_budget else None, **place)

    def _cost(self, bracket: int) -> int:
        return int(self.reduction_factor**bracket) * len(self._rungs[bracket])

    def _budgets(self) -> list[float]:
        most = self.resource_max
        if most is None and self.promotes:
            most = self.resource_min * self.reduction_factor**2
        elif most is None and self.setting.takes_budget:
            raise ConfigError("the training function asks for a `budget`: say which, with Asha(resource_max=...)")
        return geometric(self.resource_min, self.reduction_factor, ENDLESS if most is None else most)
