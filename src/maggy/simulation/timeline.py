"""Virtual time, and what is to happen in it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from math import isinf


class Timeline:
    """A clock that stands still until it is moved to the next thing that is to happen.

    now  seconds since the simulation began
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()  # what is planned for the same moment happens in this order

    def monotonic(self) -> float:
        """`now`, for whoever asks a clock."""
        return self.now

    def time(self) -> float:
        """`now`, for whoever asks a clock."""
        return self.now

    def plan(self, in_s: float, action: Callable[[], None]) -> None:
        """Do this in so many seconds."""
        heapq.heappush(self._plans, (self.now + in_s, next(self._order), action))

    def advance(self, until: float) -> bool:
        """Go to the next moment for which something is planned, and do all of it; but not beyond `until`.

        Returns whether anything was done; if not, it is `until` now.

        Raises RuntimeError if nothing is planned, and `until` is infinite.
        """
        plans = self._plans
        if plans and plans[0][0] <= until:
            self.now = plans[0][0]
            while plans and plans[0][0] == self.now:
                heapq.heappop(plans)[2]()
            return True
        if isinf(until):
            raise RuntimeError("the simulation stands still: nothing is going to happen any more")
        self.now = until
        return False
