"""Where trials of one budget are ranked."""

from __future__ import annotations

from math import isfinite

from maggy.front import Ranking


class Rung:
    """The trials that came to one budget.

    budget  how far they have come
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self._ranked = Ranking()  # best first; of equal losses the trial that was suggested first
        self._waiting = Ranking()  # those that have not been promoted

    def __len__(self) -> int:
        return len(self._ranked)

    def add(self, loss: float, trial: int) -> int:
        """Rank a trial, infinity being the worst; returns how many are strictly better, plus one."""
        self._ranked.add(loss, trial)
        if isfinite(loss):
            self._waiting.add(loss, trial)
        return self._ranked.place(loss) + 1

    def promotable(self, eta: int) -> tuple[int, int] | None:
        """The best trial that has not been promoted, and its rank; None unless it is among the best 1/eta of all.

        The best 1/eta are as many as make up 1/eta, rounded down.
        """
        if not self._waiting:
            return None
        loss, trial = self._waiting[0]
        rank = self._ranked.place(loss, trial) + 1
        return (trial, rank) if rank <= len(self._ranked) // eta else None

    def promote(self) -> None:
        """The trial that `promotable` has named is promoted."""
        self._waiting.pop()
