"""The expressions of Fugue-Tune: other spellings of the parameters, for use anywhere in nested dicts and lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from maggy.searchspace.listed import Categorical, Discrete, Listed
from maggy.searchspace.ranges import Double, Integer, Normal


class _Values(Listed):
    """One of the arguments."""

    def __init__(self, *values: Any) -> None:
        super().__init__(values)

    @classmethod
    def of(cls, values: Sequence[Any], options: Mapping[str, Any]) -> Self:
        return cls(*values)

    def _written(self) -> list[str]:
        return list(map(repr, self.values))


class Choice(_Values, Categorical):
    """One of several values without an order: `Choice("relu", "tanh")`."""


class TransitionChoice(_Values, Discrete):
    """One of several values that stand in an order: `TransitionChoice(16, 32, 64)`."""


class Grid(_Values, Categorical):
    """Every one of several values: the first level of a search, which iterating over a space expands."""

    type: ClassVar[str] = "GRID"


class Rand(Double):
    """A real number.

    low, high     bounds
    q             step: only `low`, `low + q` ... are chosen; None for all numbers
    log           whether each order of magnitude is as likely as another
    include_high  whether `high` itself may be chosen
    """

    def __init__(
        self, low: float, high: float, q: float | None = None, log: bool = False, include_high: bool = True
    ) -> None:
        super().__init__(low, high if include_high else math.nextafter(high, -math.inf), log=log, q=q)


class RandInt(Integer):
    """A whole number.

    low, high     bounds
    q             step: only `low`, `low + q` ... are chosen
    log           whether each order of magnitude is as likely as another
    include_high  whether `high` itself may be chosen
    """

    def __init__(self, low: int, high: int, q: int = 1, log: bool = False, include_high: bool = True) -> None:
        super().__init__(low, high if include_high else high - 1, log=log, q=q)


class NormalRand(Normal):
    """A normally distributed number.

    mu, sigma  mean and standard deviation
    q          step: only `mu`, `mu - q`, `mu + q` ... are chosen; None for all numbers
    """

    def __init__(self, mu: float, sigma: float, q: float | None = None) -> None:
        super().__init__(mu, sigma, q=q)


class NormalRandInt(Normal):
    """A normally distributed whole number.

    mu, sigma  mean, which is whole, and standard deviation
    q          step
    """

    def __init__(self, mu: int, sigma: float, q: int = 1) -> None:
        super().__init__(mu, sigma, q=q, whole=True)


@dataclass(frozen=True, init=False)
class FuncParam:
    """A value that is computed from others.

    func          called for each configuration
    args, kwargs  its arguments, which may hold expressions; they are filled first
    """

    func: Callable[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]

    def __init__(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "func", func)
        object.__setattr__(self, "args", list(args))
        object.__setattr__(self, "kwargs", kwargs)
