"""What is searched: the functions and the tables in one form, in which everything is a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import median

import numpy as np

from benchmarks.search_quality.functions import FUNCTIONS, Function
from benchmarks.search_quality.space import Params, Space, draw
from benchmarks.search_quality.tables import NAMES, Table, load

DRAWS = 10_000


@dataclass(frozen=True)
class Problem:
    """Something to be searched.

    space      what can be chosen
    steps      how many a trial takes at most; its curve has as many losses
    curve      the loss after each step
    seconds    what a step takes
    best       the least loss there is
    at_random  the median loss that a configuration at random has after its last step
    """

    name: str
    space: Space
    steps: int
    curve: Callable[[Params], list[float]]
    seconds: Callable[[Params], float]
    best: float
    at_random: float

    def regret(self, loss: float) -> float:
        """How far from the best: 0 is the best, 1 is as good as a configuration at random."""
        return max(loss - self.best, 0.0) / (self.at_random - self.best)


@cache
def problem(name: str) -> Problem:
    """A function or a table by its name. Raises KeyError for another name."""
    if name in FUNCTIONS:
        return from_function(FUNCTIONS[name])
    if name in NAMES:
        return from_table(load(name))
    raise KeyError(f"no problem {name!r}; known: {', '.join([*FUNCTIONS, *NAMES])}")


def from_function(function: Function) -> Problem:
    return Problem(
        name=function.name,
        space=function.space,
        steps=function.steps,
        curve=function.curve,
        seconds=lambda _: 1.0,
        best=function.best,
        at_random=typical(function.space, function.curve),
    )


def from_table(table: Table) -> Problem:
    sign = -1.0 if table.direction == "max" else 1.0

    def curve(params: Params) -> list[float]:
        return [sign * value for value in table.curve(params)]

    return Problem(
        name=table.name,
        space=table.space,
        steps=table.epochs,
        curve=curve,
        seconds=table.seconds,
        best=float((sign * table.curves).min()),
        at_random=typical(table.space, curve),
    )


def typical(space: Space, curve: Callable[[Params], list[float]]) -> float:
    rng = np.random.default_rng(0)
    return median(curve(draw(space, rng))[-1] for _ in range(DRAWS))
