"""Successive halving."""

from __future__ import annotations

from collections.abc import Iterable

from maggy.optimizer.budgeted.budgets import check_budgets, check_count
from maggy.optimizer.budgeted.plan import Plan
from maggy.optimizer.budgeted.synchronous import Synchronous


class SuccessiveHalving(Synchronous):
    """Runs many configurations a little, the best of them longer, and so on.

    plan        a `Plan` or a list of `(budget, keep)`; None for one of the numbers below
    n           how many configurations enter together; None for all `num_trials`
    min_budget  the first budget, in the unit of the function's `budget`
    max_budget  the last budget is the last `min_budget * eta**k` up to this
    eta         the best 1/eta go on, to eta times the budget
    sampler     draws the configurations: a name or a `Sampler`

    If there are more configurations than enter together, the plan is run again: workers that could only wait for a rung
    to be complete begin with the next run. A trial that failed, or was stopped by a rule, or returned NaN or infinity
    counts as the worst in its rung and does not go on.

    Source: Jamieson and Talwalkar, arXiv 1502.07943; plans as in Fugue-Tune.

    Raises ConfigError for numbers that make no plan, and for a training function without `budget`.
    """

    def __init__(
        self,
        plan: Plan | Iterable[tuple[float, int]] | None = None,
        *,
        n: int | None = None,
        min_budget: float = 1,
        max_budget: float = 27,
        eta: int = 3,
        sampler: object = "random",
    ) -> None:
        super().__init__(sampler)
        check_budgets(min_budget, max_budget, eta, ("min_budget", "max_budget", "eta"))
        check_count("n", n)
        self.plan = None if plan is None else Plan.of(plan)
        self.n, self.min_budget, self.max_budget, self.eta = n, min_budget, max_budget, eta

    def plans(self, most: int) -> list[Plan]:
        if self.plan is None:
            return [Plan.halving(self.n or most, self.min_budget, self.max_budget, self.eta)]
        return [Plan(self.plan.rungs, self.n or self.plan.n or most)]
