"""Rounds, figures and targets."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal, TypeVar

T = TypeVar("T")
PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a figure's median has to keep to: ours itself, or its ratio to the reference."""

    of: Literal["ours", "ratio"] = "ours"
    at_most: float = math.inf
    at_least: float = -math.inf

    def met_by(self, value: float) -> bool:
        return self.at_least <= value <= self.at_most

    def __str__(self) -> str:
        bound = f"<= {self.at_most:g}" if self.at_most < math.inf else f">= {self.at_least:g}"
        return f"{bound}x" if self.of == "ratio" else bound


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table.

    ours       one value for each round, in `unit`
    reference  the same for what it is measured beside, taken in the same rounds
    beside     what the reference is
    """

    name: str
    unit: str
    ours: Sequence[float]
    reference: Sequence[float] = ()
    beside: str = ""
    targets: Sequence[Target] = field(default_factory=tuple)

    @property
    def ratio(self) -> float | None:
        """Median over the rounds of ours over the reference: a round that was disturbed disturbed both."""
        if not self.reference:
            return None
        return median(ours / reference for ours, reference in zip(self.ours, self.reference, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether the medians keep to every target; None without one."""
        values = {"ours": median(self.ours), "ratio": self.ratio}
        verdicts = [target.met_by(value) for target in self.targets if (value := values[target.of]) is not None]
        return all(verdicts) if verdicts else None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a benchmark is asked for.

    quick   one round or two of little work: to see that everything runs, not to quote
    engine  "local" or "spark"
    folder  where experiments are written; on the disk, as a user's are
    """

    quick: bool
    engine: str
    folder: Path

    def pick(self, full: int, quick: int) -> int:
        """A number of rounds, trials or calls."""
        return quick if self.quick else full


def alternate(rounds: int, *runs: Callable[[], Any]) -> list[list[Any]]:
    """Run each in turn, in the other order every other round; the results of each, by round."""
    results: list[list[Any]] = [[] for _ in runs]
    for number in range(rounds):
        turn = list(enumerate(runs))
        for index, run in turn if number % 2 == 0 else reversed(turn):
            results[index].append(run())
    return results


def in_fresh_process(function: Callable[..., T], *arguments: Any) -> T:
    """Call it where nothing was run before: memory that an earlier run gave back would be used again, unseen."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def p50(values: Sequence[float]) -> float:
    return median(values)


def p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def resident_bytes() -> int:
    """Memory that this process holds now; where the system does not say, the most that it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
