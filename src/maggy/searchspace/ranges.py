"""Hyperparameters that are numbers of a range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from maggy.errors import SearchspaceError
from maggy.searchspace.parameters import LARGEST_INT, Parameter, number

if TYPE_CHECKING:
    import numpy as np

_INNERMOST = 2.0**-53
"""Distance from 0 and 1 within which the unit interval of a normal distribution ends: some 8 standard deviations."""


@dataclass(frozen=True, eq=False, repr=False)
class Range(Parameter):
    """A number from `low` to `high`, both included.

    log  whether each order of magnitude is as likely as another; needs `low` above 0
    q    step: only `low`, `low + q`, `low + 2 * q` ... are chosen
    """

    low: Any
    high: Any
    log: bool = False
    q: Any = None

    OPTIONS: ClassVar[tuple[str, ...]] = ("log", "q")

    def __post_init__(self) -> None:
        low, high = self._number(self.low, "bounds"), self._number(self.high, "bounds")
        if low >= high:
            hint = "; for a constant use ('DISCRETE', [value])" if low == high else ""
            raise SearchspaceError(f"the lower bound {low} must be less than the upper bound {high}{hint}")
        if not math.isfinite(high - low):
            raise SearchspaceError(f"the range from {low} to {high} is too wide for floating-point numbers")
        if not isinstance(self.log, bool):
            raise SearchspaceError(f"log has to be True or False, got {self.log!r}")
        if self.log and low <= 0:
            raise SearchspaceError(f"a log scale needs a lower bound above 0, got {low}")
        q = None if self.q is None else self._number(self.q, "step")
        if q is not None and q <= 0:
            raise SearchspaceError(f"the step q={q} must be above 0")
        if q is not None and (high - low) / q > 2 * LARGEST_INT:
            raise SearchspaceError(f"the step q={q} is too small for a range from {low} to {high}; leave q out")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "q", q)
        if self._steps is not None and len(self._steps) < 2:
            raise SearchspaceError(f"the step q={q} is larger than the range from {low} to {high}")

    def _number(self, value: object, what: str) -> float:
        return number(value, f"the {what} of {self.type} must be numbers")

    @classmethod
    def of(cls, values: Sequence[Any], options: Mapping[str, Any]) -> Self:
        if len(values) != 2:
            raise SearchspaceError(
                f"{cls.type} takes two bounds, [low, high], got {len(values)} values; or use DISCRETE"
            )
        return cls(*values, **options)

    @property
    def values(self) -> list[Any]:
        return [self.low, self.high]

    @property
    def grid(self) -> Sequence[Any] | None:
        return self._steps

    @cached_property
    def _steps(self) -> Sequence[Any] | None:
        return None if self.q is None else Steps(self.low, self.high, self.q)

    def to_unit(self, value: Any) -> float:
        if self.log:
            start, width = self._log_scale
            u = (math.log(value) - start) / width if value > 0 else 0.0
        elif self._steps is None:
            u = (value - self.low) / (self.high - self.low)
        else:
            u = (round((value - self.low) / self.q) + 0.5) / len(self._steps)
        return min(max(u, 0.0), 1.0)

    def from_unit(self, u: float) -> Any:
        if self.log:
            start, width = self._log_scale
            value = min(max(math.exp(start + u * width), self.low), self.high)
            return value if self._steps is None else self._steps[self._nearest(value)]
        if self._steps is None:
            return min(max(self.low + u * (self.high - self.low), self.low), self.high)
        return self._steps[min(int(u * len(self._steps)), len(self._steps) - 1)]

    @cached_property
    def _log_scale(self) -> tuple[float, float]:
        """Where the scale starts and how wide it is: a step owns what rounds to it, also at the ends."""
        low, high = self.low, self.high
        if self._steps is not None:
            low, high = max(low - self.q / 2, low / 2) or low, self._steps[-1] + self.q / 2
        return math.log(low), (math.log(high) - math.log(low)) or 1.0

    def _nearest(self, value: float) -> int:
        assert self._steps is not None
        index: int = round((value - self.low) / self.q)
        return min(max(index, 0), len(self._steps) - 1)

    def _draw(self, rng: np.random.Generator) -> Any:
        if self.log:
            return self.from_unit(float(rng.random()))
        if self._steps is None:
            return min(float(rng.uniform(self.low, self.high)), self.high)  # rounding may carry the sum past `high`
        return self._steps[int(rng.integers(len(self._steps)))]


@dataclass(frozen=True, eq=False, repr=False)
class Integer(Range):
    """A whole number from `low` to `high`, both included. See `Range`."""

    type: ClassVar[str] = "INTEGER"
    low: int
    high: int
    log: bool = False
    q: int = 1

    def _number(self, value: object, what: str) -> int:
        whole = super()._number(value, what)
        if not isinstance(whole, int):
            raise SearchspaceError(f"the {what} of an INTEGER must be whole numbers, got {whole!r}; or use DOUBLE")
        return whole

    @cached_property
    def _steps(self) -> range:
        return range(self.low, self.high + 1, self.q)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value in self._steps


@dataclass(frozen=True, eq=False, repr=False)
class Double(Range):
    """A real number from `low` to `high`. See `Range`."""

    type: ClassVar[str] = "DOUBLE"
    low: float
    high: float
    log: bool = False
    q: float | None = None

    def _number(self, value: object, what: str) -> float:
        return float(super()._number(value, what))

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        if self._steps is None or self.q is None:
            return True
        return math.isclose(value, self._steps[self._nearest(value)], rel_tol=1e-9, abs_tol=self.q * 1e-6)


@dataclass(frozen=True, eq=False, repr=False)
class Normal(Parameter):
    """A normally distributed number.

    mu     the mean
    sigma  the standard deviation, above 0
    q      step: only `mu`, `mu - q`, `mu + q` ... are chosen; None for all numbers
    whole  whether it is a whole number; needs a whole `mu`, and `q` is 1 unless given
    """

    type: ClassVar[str] = "NORMAL"
    OPTIONS: ClassVar[tuple[str, ...]] = ("q", "whole")
    mu: float
    sigma: float
    q: float | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        mu, sigma = number(self.mu, "mu must be a number"), float(number(self.sigma, "sigma must be a number"))
        q = 1 if self.whole and self.q is None else self.q
        if sigma <= 0 or not math.isfinite(mu + 9 * sigma) or not math.isfinite(mu - 9 * sigma):
            raise SearchspaceError(f"sigma must be above 0 and its ninefold a floating-point number, got {sigma}")
        if q is not None and number(q, "q must be a number") <= 0:
            raise SearchspaceError(f"the step q={q} must be above 0")
        if q is not None and 9 * sigma / q > LARGEST_INT:
            raise SearchspaceError(f"the step q={q} is too small for sigma={sigma}; leave q out")
        if self.whole and not (isinstance(mu, int) and isinstance(q, int)):
            raise SearchspaceError(f"a whole number needs a whole mu and q, got {mu} and {q}")
        if self.whole and abs(mu) + 9 * sigma > LARGEST_INT:
            raise SearchspaceError(f"mu={mu} and sigma={sigma} lead beyond 2**53, which would not survive JSON exactly")
        object.__setattr__(self, "mu", mu if self.whole else float(mu))
        object.__setattr__(self, "sigma", sigma)
        object.__setattr__(self, "q", q if self.whole or q is None else float(q))

    @classmethod
    def of(cls, values: Sequence[Any], options: Mapping[str, Any]) -> Self:
        if len(values) != 2:
            raise SearchspaceError(f"NORMAL takes two numbers, [mu, sigma], got {len(values)} values")
        return cls(*values, **options)

    @property
    def values(self) -> list[float]:
        return [self.mu, self.sigma]

    @property
    def grid(self) -> None:
        return None

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        if not math.isfinite(value):
            return False
        return self.q is None or math.isclose(value, self._stepped(value), rel_tol=1e-9, abs_tol=self.q * 1e-6)

    def to_unit(self, value: Any) -> float:
        return NormalDist(self.mu, self.sigma).cdf(value)

    def from_unit(self, u: float) -> Any:
        return self._stepped(NormalDist(self.mu, self.sigma).inv_cdf(min(max(u, _INNERMOST), 1 - _INNERMOST)))

    def _draw(self, rng: np.random.Generator) -> Any:
        return self._stepped(float(rng.normal(self.mu, self.sigma)))

    def _stepped(self, value: float) -> Any:
        if self.q is None:
            return value
        steps = round((value - self.mu) / self.q)
        return self.mu + steps * self.q if self.whole else _exact(self.mu, steps, self.q)


class Steps(Sequence[float]):
    """`low`, `low + q`, `low + 2 * q` ... up to `high`, made on demand, without the noise of binary fractions."""

    def __init__(self, low: float, high: float, q: float) -> None:
        self._low, self._q = low, q
        self._size = int((Decimal(repr(high)) - Decimal(repr(low))) // Decimal(repr(q))) + 1

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> list[float]: ...
    def __getitem__(self, index: int | slice) -> float | list[float]:
        if isinstance(index, slice):
            return [self[i] for i in range(self._size)[index]]
        return _exact(self._low, range(self._size)[index], self._q)


def _exact(start: float, steps: int, q: float) -> float:
    """`start + steps * q` as one would write it: 0.3, not 0.30000000000000004."""
    return float(Decimal(repr(start)) + steps * Decimal(repr(q)))
