"""Which workers count as lost, by the signs of life that they give."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from maggy.brain.events import WorkerLost
from maggy.brain.state import Worker


class Liveness:
    """Reads and writes the times in `Worker`.

    workers     those that are there, as the brain has them
    patience_s  silence after which a worker counts as lost
    grace_s     time in which a worker whose connection broke may come back

    check_at    no worker can be overdue before
    """

    def __init__(self, workers: Mapping[int, Worker], *, patience_s: float, grace_s: float) -> None:
        self._workers, self._patience_s, self._grace_s = workers, patience_s, grace_s
        self.check_at = inf

    def joined(self, now: float) -> None:
        """A worker is there."""
        self.check_at = min(self.check_at, now + self._patience_s)

    def heard(self, worker: int, now: float) -> None:
        """A worker gave a sign of life."""
        if (known := self._workers.get(worker)) is not None:
            known.heard_at, known.away_since = now, None

    def away(self, worker: int, now: float) -> None:
        """A worker's connection broke; it may come back."""
        if (known := self._workers.get(worker)) is not None and known.away_since is None:
            known.away_since = now
            self.check_at = min(self.check_at, now + self._grace_s)

    def due(self, now: float) -> list[WorkerLost]:
        """The workers that are overdue."""
        if now < self.check_at:
            return []
        times = {number: self.overdue_at(worker) for number, worker in self._workers.items()}
        self.check_at = min((at for at in times.values() if now < at), default=inf)
        return [
            WorkerLost(worker=number, reason=self._why(self._workers[number]))
            for number, at in times.items()
            if now >= at
        ]

    def rest(self, seconds: float) -> None:
        """So much time counts for nothing."""
        for worker in self._workers.values():
            worker.heard_at += seconds
            if worker.away_since is not None:
                worker.away_since += seconds
        self.check_at += seconds

    def overdue_at(self, worker: Worker) -> float:
        """When a worker counts as lost unless it gives another sign."""
        silent = worker.heard_at + self._patience_s
        return silent if worker.away_since is None else min(silent, worker.away_since + self._grace_s)

    def _why(self, worker: Worker) -> str:
        if worker.away_since is None:
            return f"not heard from for {self._patience_s:g} s"
        return f"its connection broke and it did not come back within {self._grace_s:g} s"
