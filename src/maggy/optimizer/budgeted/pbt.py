"""Population-based training."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict, deque
from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING

from maggy.errors import ConfigError
from maggy.optimizer.base import IDLE, Optimizer, Promotion, Report, Setting, Suggestion
from maggy.optimizer.budgeted.budgets import (
    check_count,
    check_function,
    is_number,
    loss_at_budget,
    ordinal,
    show,
    whole,
)
from maggy.optimizer.budgeted.explore import perturbed
from maggy.optimizer.draws import Draw
from maggy.optimizer.names import sampler_named
from maggy.trial import Params, Trial

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class _Member:
    """A trial of the population as it last returned, or failed.

    loss    infinity if it failed
    metric  the same in the user's sign
    budget  the total that it came to, or failed on the way to
    """

    trial: int
    params: Params
    loss: float
    metric: float | None
    budget: float

    @property
    def place(self) -> tuple[float, int]:
        return self.loss, self.trial


class PBT(Optimizer):
    """Trains a population; the worst members go on from the best ones' checkpoints, with other hyperparameters.

    population  how many members are trained at the same time; None for `num_trials`, which is not used otherwise
    interval    budget after which a member returns and is compared, in the unit of the function's `budget`
    budget_max  the total to which a member is trained
    quantile    a member among this worst part of the latest losses is replaced, by one among the best such part
    resample    probability of each hyperparameter to be drawn anew when a member is replaced
    factors     otherwise a number is multiplied by one of these; ordered values move one step; categories stay
    sampler     draws the configurations of the first members: a name or a `Sampler`

    Nobody waits for the others: a member that returns is compared with the latest losses there are. The worst part is
    `floor(quantile * n)` of the n members that have one, and one at least once all first members have returned. A
    member that is replaced ends; a new trial begins with the checkpoint of its `parent`, which has come at least as
    far, is still training, and is chosen at random among the best. Its predecessor counts until it has returned.
    Without such a parent the member goes on. A member that failed, or that a rule has stopped, counts as the worst and
    is replaced as soon as there is a parent.

    Source: Jaderberg et al., arXiv 1711.09846; default of `resample` as in Ray Tune.

    Raises ConfigError for settings that cannot work, and for a training function without `budget`.
    """

    def __init__(
        self,
        population: int | None = None,
        interval: float = 1,
        budget_max: float = 10,
        quantile: float = 0.2,
        resample: float = 0.25,
        factors: tuple[float, ...] = (0.8, 1.2),
        *,
        sampler: object = "random",
    ) -> None:
        check_count("population", population, least=2)
        if not (is_number(interval) and is_number(budget_max) and 0 < interval <= budget_max):
            raise ConfigError(
                f"interval={interval!r} must be greater than 0 and not greater than budget_max={budget_max!r}"
            )
        if not (is_number(quantile) and 0 < quantile <= 0.5):
            raise ConfigError(f"quantile must be greater than 0 and at most 0.5, got {quantile!r}")
        if not (is_number(resample) and 0 <= resample <= 1):
            raise ConfigError(f"resample is a probability, got {resample!r}")
        listed = isinstance(factors, tuple | list) and len(factors) > 0
        if not (listed and all(is_number(factor) and factor > 0 for factor in factors)):
            raise ConfigError(f"factors must be numbers greater than 0, e.g. (0.8, 1.2), got {factors!r}")
        self.population, self.interval, self.budget_max = population, interval, budget_max
        self.quantile, self.resample, self.factors = quantile, resample, tuple(factors)
        self.sampler = sampler_named(sampler)

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        check_function(setting, "PBT")
        self.promotes = True
        if self.population is not None:
            setting.draws.most = self.population
        self._members: dict[int, _Member] = {}
        self._ranking: list[tuple[float, int]] = []  # their places, best first, and those in `_replaced`
        self._replaced: defaultdict[int, deque[tuple[float, int]]] = defaultdict(
            deque
        )  # by the parent of the new trial
        self._returned: deque[_Member] = deque()  # those that wait for a decision
        self._failed: list[_Member] = []  # those that wait for a parent
        self._first = 0  # first members that are still to return
        self._goals: dict[int, float] = {}  # the budgets that members are on their way to, which have returned before
        self._training = 0  # trials that run and have not got their last budget
        return setting.draws.most * ceil(self.budget_max / self.interval)

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        draw = self.setting.draws.fresh()
        if draw is not None:
            self._first += 1
            return self._begun(draw, self._following(0))
        for member in self._failed:
            if parent := self._parent(member, rng):
                self._failed.remove(member)
                return self._take_over(member, parent, rng)
        if self._returned:
            return self._decide(self._returned.popleft(), rng)
        return IDLE if self._training else None

    def observe(self, report: Report) -> None:
        trial = report.trial
        assert trial.trial_id is not None and trial.budget is not None
        before = self._members.get(trial.trial_id)
        if before is not None:
            self._unrank(before.place)
        elif trial.parent is not None:
            self._unrank(self._replaced[trial.parent].popleft())
        else:
            self._first -= 1
        budget = self._goals.pop(trial.trial_id, trial.budget)
        self._training -= budget < self.budget_max
        loss = loss_at_budget(report)
        member = _Member(trial.trial_id, trial.params, loss, trial.final_metric, budget)
        self._members[trial.trial_id] = member
        insort(self._ranking, member.place)
        if loss == inf:
            self._failed.append(member)
        elif budget < self.budget_max:
            self._returned.append(member)

    def _decide(self, member: _Member, rng: np.random.Generator) -> Suggestion:
        rank = bisect_left(self._ranking, member.place) + 1
        if rank > len(self._ranking) - self._part() and (parent := self._parent(member, rng)):
            return self._take_over(member, parent, rng)
        budget = self._goals[member.trial] = self._following(member.budget)
        self._training += budget < self.budget_max
        return Promotion(
            trial=member.trial,
            budget=budget,
            rung=self._rung(budget),
            resumable=budget < self.budget_max,
            reason=f"goes on to budget {show(budget)}: {ordinal(rank)} of {len(self._ranking)}",
        )

    def _parent(self, member: _Member, rng: np.random.Generator) -> _Member | None:
        places = self._ranking[: self._part()]
        best = (self._members[trial] for _, trial in places if trial in self._members)
        able = [each for each in best if member.budget <= each.budget < self.budget_max and each.loss < member.loss]
        return able[int(rng.integers(len(able)))] if able else None

    def _take_over(self, member: _Member, parent: _Member, rng: np.random.Generator) -> Trial:
        rank, of = bisect_left(self._ranking, member.place) + 1, len(self._ranking)
        self._replaced[parent.trial].append(member.place)
        del self._members[member.trial]
        params = perturbed(self.setting.space, parent.params, rng, resample=self.resample, factors=self.factors)
        lost = "has no result" if member.loss == inf else f"({member.metric:.6g}) was {ordinal(rank)} of {of}"
        reason = (
            f"goes on from trial {parent.trial} ({parent.metric:.6g}) in place of trial {member.trial}, which {lost}"
        )
        return self._begun(Draw(params, "perturbed", reason), self._following(parent.budget), parent.trial)

    def _begun(self, draw: Draw, budget: float, parent: int | None = None) -> Trial:
        resumable = budget < self.budget_max
        self._training += resumable
        return draw.trial(budget=budget, rung=self._rung(budget), resumable=resumable, parent=parent)

    def _part(self) -> int:
        """How many members are among the worst, and how many among the best."""
        members = len(self._ranking)
        least = 0 if self._first else 1
        return min(max(int(self.quantile * members), least), members // 2)

    def _following(self, budget: float) -> float:
        return whole(min((round(budget / self.interval) + 1) * self.interval, self.budget_max))

    def _rung(self, budget: float) -> int:
        return ceil(budget / self.interval) - 1

    def _unrank(self, place: tuple[float, int]) -> None:
        del self._ranking[bisect_left(self._ranking, place)]
