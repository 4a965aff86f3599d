"""Hyperband, and with a model-based sampler BOHB."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise

from maggy.errors import ConfigError
from maggy.optimizer.base import Setting
from maggy.optimizer.budgeted.budgets import check_budgets, check_count
from maggy.optimizer.budgeted.plan import Plan
from maggy.optimizer.budgeted.synchronous import Synchronous


class Hyperband(Synchronous):
    """Successive halving in several brackets, from many configurations that begin small to a few that run in full.

    min_budget    the smallest budget, in the unit of the function's `budget`; see `Plan.hyperband` for what follows
    max_budget    the largest budget
    eta           the best 1/eta go on, to eta times the budget
    n_iterations  how many brackets are run; they have as many configurations as they need, whatever `num_trials` says.
                  None: brackets are run, over again if need be, until `num_trials` configurations have entered
    sampler       draws the configurations: a name or a `Sampler`; `Hyperband(sampler="tpe")` is BOHB
    plans         plans to run instead, each a `Plan` or a list of `(budget, keep)`. Plans without `n` share the
                  `num_trials` configurations in proportion to what their first rungs keep

    The next bracket begins as soon as those before leave a worker without work. When the configurations run out within
    a bracket, it goes on with those it has, and its rungs keep as large a part of them. A trial that failed, or was
    stopped by a rule, or returned NaN or infinity counts as the worst in its rung and does not go on.

    Source: Li et al., arXiv 1603.06560; brackets that overlap: Falkner et al. (BOHB), arXiv 1807.01774.

    Raises ConfigError for numbers that make no brackets, and for a training function without `budget`.
    """

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 27,
        eta: int = 3,
        n_iterations: int | None = None,
        *,
        sampler: object = "random",
        plans: Iterable[Plan | Iterable[tuple[float, int]]] | None = None,
    ) -> None:
        super().__init__(sampler)
        check_budgets(min_budget, max_budget, eta, ("min_budget", "max_budget", "eta"))
        check_count("n_iterations", n_iterations)
        if plans is None:
            self._given = Plan.hyperband(min_budget, max_budget, eta)
        elif isinstance(plans, Iterable):
            self._given = [Plan.of(plan) for plan in plans]
        else:
            raise ConfigError(f"plans is a list of plans, e.g. [[(1, 9), (3, 3)], [(3, 3)]], got {plans!r}")
        sized = {plan.n is not None for plan in self._given}
        if len(sized) != 1 or (n_iterations is not None and sized != {True}):
            raise ConfigError(
                "plans must be one or more, and either all of them say how many configurations enter, "
                "Plan([(1, 9), (3, 3)], n=27), or none does; with n_iterations all must"
            )
        self.n_iterations = n_iterations

    def prepare(self, setting: Setting) -> int:
        if self.n_iterations is not None:
            plans = self._given
            setting.draws.most = sum(plans[i % len(plans)].n or 0 for i in range(self.n_iterations))
        return super().prepare(setting)

    def plans(self, most: int) -> list[Plan]:
        if self._given[0].n is not None:
            return self._given
        first_keeps = [plan.rungs[0][1] for plan in self._given]
        bounds = [most * keep // sum(first_keeps) for keep in accumulate(first_keeps, initial=0)]
        return [
            Plan(plan.rungs, end - begin)
            for plan, (begin, end) in zip(self._given, pairwise(bounds), strict=True)
            if end > begin
        ]
