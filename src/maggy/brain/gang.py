"""Gangs: which workers run a trial together, and what becomes of a trial for which there are too few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from maggy.brain.state import Worker

REPORT_S = 10.0
"""A trial that has waited so long for workers that are not there is worth a line."""


def choose(idle: Mapping[int, None], workers: Mapping[int, Worker], size: int) -> tuple[int, ...]:
    """Idle workers for one trial, in order of rank: those of one host side by side, and few hosts.

    idle  whoever waits longest comes first; at least `size` of them
    """
    if size == 1:
        return (next(iter(idle)),)
    by_host: dict[str, list[int]] = {}
    for number in idle:
        by_host.setdefault(workers[number].host, []).append(number)
    fits = [host for host, there in by_host.items() if len(there) >= size]
    # The smallest host that has enough leaves the larger ones to others.
    hosts = (
        [min(fits, key=lambda host: len(by_host[host]))] if fits else sorted(by_host, key=lambda h: -len(by_host[h]))
    )
    chosen = [number for host in hosts for number in by_host[host]][:size]
    return tuple(sorted(chosen, key=lambda number: (hosts.index(workers[number].host), workers[number].seat)))


@dataclass(slots=True)
class Shortage:
    """How long there have been too few workers for a trial that waits.

    since  None while there are enough
    told   whether that was reported
    """

    limit_s: float
    since: float | None = None
    told: bool = False

    def see(self, now: float, *, short: bool) -> None:
        """Whether there are too few, by now."""
        if not short:
            self.since, self.told = None, False
        elif self.since is None:
            self.since = now

    def deadline(self) -> float:
        """When there is something to say about it; infinity if never."""
        if self.since is None:
            return inf
        return self.since + (self.limit_s if self.told else min(REPORT_S, self.limit_s))
