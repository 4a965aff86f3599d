"""Plans: how many configurations get how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from maggy.errors import ConfigError
from maggy.optimizer.budgeted.budgets import check_count, geometric, is_number, show, whole


@dataclass(frozen=True)
class Plan:
    """A ladder of rungs: in each, trials run up to a budget, and the best of them go on.

    rungs  a pair `(budget, keep)` for each: the total that a trial is to have reached, and how many go on. Nobody goes
           on from the last one
    n      how many configurations enter at the first rung; None for as many as there are

    A rung that keeps as many as enter it is a warm-up: `Plan([(5, 20), (10, 5), (30, 1)], n=20)`.

    Raises ConfigError where budgets do not grow or numbers are not positive.
    """

    rungs: Sequence[tuple[float, int]]
    n: int | None = None

    def __post_init__(self) -> None:
        try:
            rungs = tuple((budget, keep) for budget, keep in self.rungs)
        except (TypeError, ValueError):
            raise ConfigError(
                f"a plan is a list of (budget, keep), e.g. [(1, 9), (3, 1)], got {self.rungs!r}"
            ) from None
        if not rungs:
            raise ConfigError("a plan needs at least one rung, e.g. [(1, 9), (3, 1)]")
        before: float = 0
        for budget, keep in rungs:
            if isinstance(budget, bool) or not isinstance(budget, int | float) or not before < budget < inf:
                raise ConfigError(
                    f"budget {budget!r} must be a number greater than {show(before)}, the one before: in a plan it is "
                    "the total to have reached. For increments use Plan.from_increments"
                )
            check_count("keep", keep)
            before = budget
        check_count("n", self.n)
        object.__setattr__(self, "rungs", tuple((whole(budget), keep) for budget, keep in rungs))

    @classmethod
    def of(cls, value: Plan | Iterable[tuple[float, int]]) -> Plan:
        """The plan that a list of `(budget, keep)` means; a plan is returned as it is."""
        return value if isinstance(value, Plan) else cls(value)  # type: ignore[arg-type]

    @classmethod
    def from_increments(cls, rungs: Iterable[tuple[float, int]], n: int | None = None) -> Plan:
        """A plan whose rungs say what they add: `[(1, 9), (2, 3)]` means the totals 1 and 3, as in Fugue-Tune."""
        if not isinstance(rungs, Iterable):
            raise ConfigError(f"a plan is a list of (more, keep), e.g. [(1, 9), (2, 3)], got {rungs!r}")
        rungs = list(rungs)
        for rung in rungs:
            if not (isinstance(rung, tuple | list) and len(rung) == 2 and is_number(rung[0])):
                raise ConfigError(
                    f"a plan of increments is a list of (more, keep), e.g. [(1, 9), (2, 3)], got {rung!r}"
                )
        return cls(list(zip(accumulate(budget for budget, _ in rungs), (keep for _, keep in rungs), strict=True)), n)

    @classmethod
    def halving(cls, n: int, min_budget: float, max_budget: float, eta: int = 3) -> Plan:
        """Successive halving: rung i gives `min_budget * eta**i`, up to `max_budget`, and keeps the best 1/eta.

        Of n configurations, floor(n / eta**i) come to rung i, and one at least.

        Source: Jamieson and Talwalkar, arXiv 1502.07943.
        """
        return cls._halving(n, geometric(min_budget, eta, max_budget), eta)

    @classmethod
    def _halving(cls, n: int, budgets: Iterable[float], eta: int) -> Plan:
        return cls([(budget, max(1, n // eta ** (i + 1))) for i, budget in enumerate(budgets)], n)

    @classmethod
    def hyperband(cls, min_budget: float, max_budget: float, eta: int = 3) -> list[Plan]:
        """One plan for each bracket of Hyperband, the one with the smallest budget first.

        s_max is the largest s with `max_budget * eta**-s >= min_budget`. Bracket s, from s_max down to 0, begins with
        ceil((s_max + 1) * eta**s / (s + 1)) configurations at the budget `max_budget * eta**-s`.

        Source: algorithm 1 of Li et al., arXiv 1603.06560.
        """
        s_max = len(geometric(min_budget, eta, max_budget)) - 1
        return [
            cls._halving(
                -(-(s_max + 1) * eta**s // (s + 1)),  # rounded up
                [max_budget / eta**i for i in range(s, -1, -1)],
                eta,
            )
            for s in range(s_max, -1, -1)
        ]
