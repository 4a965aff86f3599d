"""Where trials of one budget are ranked."""

from __future__ import annotations

from bisect import bisect_left, insort
from heapq import heappop, heappush
from math import isfinite


class Rung:
    """The trials that came to one budget. Every step costs a search in a sorted list.

    budget  how far they have come
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self._ranked: list[tuple[float, int]] = []  # best first; of equal losses the trial that was suggested first
        self._waiting: list[tuple[float, int]] = []  # a heap of those that have not been promoted

    def __len__(self) -> int:
        return len(self._ranked)

    def add(self, loss: float, trial: int) -> int:
        """Rank a trial, infinity being the worst; returns how many are strictly better, plus one."""
        insort(self._ranked, (loss, trial))
        if isfinite(loss):
            heappush(self._waiting, (loss, trial))
        return bisect_left(self._ranked, (loss,)) + 1

    def promotable(self, eta: int) -> tuple[int, int] | None:
        """The best trial that has not been promoted, and its rank; None unless it is among the best 1/eta of all.

        The best 1/eta are as many as make up 1/eta, rounded down.
        """
        if not self._waiting:
            return None
        rank = bisect_left(self._ranked, self._waiting[0]) + 1
        return (self._waiting[0][1], rank) if rank <= len(self._ranked) // eta else None

    def promote(self) -> None:
        """The trial that `promotable` has named is promoted."""
        heappop(self._waiting)
