"""One run of a plan."""

from __future__ import annotations

from collections import deque
from math import isfinite

from maggy.optimizer.base import Promotion
from maggy.optimizer.budgeted.budgets import ordinal, show
from maggy.optimizer.budgeted.plan import Plan


class Bracket:
    """Configurations that go through the rungs of a plan together: a rung begins when the one before is complete.

    number  of the bracket, from 0
    plan    with its `n`
    """

    def __init__(self, number: int, plan: Plan) -> None:
        assert plan.n is not None
        self.number, self._size = number, plan.n
        self._budgets = [budget for budget, _ in plan.rungs]
        self._keep = [keep for _, keep in plan.rungs]
        self._entered = 0
        self._rung = 0
        self._expected = plan.n  # so many come to this rung
        self._results: list[tuple[float, int]] = []
        self._promotions: deque[Promotion] = deque()

    @property
    def open(self) -> bool:
        """Whether it takes another configuration."""
        return self._entered < self._size

    @property
    def first_budget(self) -> float:
        """What a configuration that enters gets."""
        return self._budgets[0]

    @property
    def promotes(self) -> bool:
        """Whether one of its trials may be promoted later."""
        return not self._last

    @property
    def done(self) -> bool:
        """Whether it has nothing more to hand out."""
        return self._last and not self.open and not self._promotions

    def enter(self) -> None:
        """One more configuration has entered."""
        self._entered += 1

    def close(self) -> None:
        """There are no more configurations: it goes on with those it has, and keeps as large a part of them."""
        if self._entered < self._size:
            self._keep = [max(1, keep * self._entered // self._size) for keep in self._keep]
            self._expected = self._size = self._entered
            self._advance()

    def observe(self, loss: float, trial: int) -> None:
        """A trial has returned; infinity is the worst loss."""
        self._results.append((loss, trial))
        self._advance()

    def promotion(self) -> Promotion | None:
        """A trial that goes on now, the best first."""
        return self._promotions.popleft() if self._promotions else None

    @property
    def _last(self) -> bool:
        return self._rung == len(self._budgets) - 1 or self._expected == 0

    def _advance(self) -> None:
        if self._last or len(self._results) < self._expected:
            return
        keep, before = self._keep[self._rung], self._budgets[self._rung]
        best = [trial for loss, trial in sorted(self._results)[:keep] if isfinite(loss)]
        self._rung += 1
        budget, resumable = self._budgets[self._rung], self._rung < len(self._budgets) - 1
        self._promotions.extend(
            Promotion(
                trial=trial,
                budget=budget,
                rung=self._rung,
                resumable=resumable,
                reason=f"promoted to budget {show(budget)}: {ordinal(rank)} of {self._expected} at budget "
                f"{show(before)}, the best {keep} go on",
            )
            for rank, trial in enumerate(best, 1)
        )
        self._expected, self._results = len(best), []
