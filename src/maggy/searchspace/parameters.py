"""What one hyperparameter may be: frozen values, checked when they are made."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from maggy.errors import SearchspaceError

if TYPE_CHECKING:
    import numpy as np

LARGEST_INT = 2**53
"""Whole numbers beyond this are not exact in every reader of JSON (a browser is one)."""


def plain(value: Any) -> Any:
    """The same value in plain Python types that a message or a JSON file can hold.

    value  str, bool, int, float, None, a numpy scalar, or a list of these

    Raises SearchspaceError for anything else, for NaN and infinity, and for whole numbers beyond 2**53.
    """
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:
        value = value.item()
    kind = type(value)  # exactly these types: an enum that is also a str would arrive as something else
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        if abs(value) > LARGEST_INT:
            raise SearchspaceError(f"{value} is beyond 2**53 and would not survive JSON exactly")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise SearchspaceError(f"{value} is not a finite number")
        return value
    if kind is list:
        return [plain(element) for element in value]
    raise SearchspaceError(
        f"a value must be a str, int, float, bool, None or a list of these, got {value!r} of type "
        f"{kind.__name__}. Values travel as messages: use a name, e.g. 'relu', and look up what it stands "
        "for inside the training function"
    )


@dataclass(frozen=True)
class Parameter(ABC):
    """One hyperparameter, without its name.

    type  the seeds' name of its type
    """

    type: ClassVar[str]

    @property
    @abstractmethod
    def values(self) -> list[Any]:
        """The feasible region as the user wrote it: two bounds, or every choice."""

    @property
    @abstractmethod
    def grid(self) -> Sequence[Any] | None:
        """Every value in order, made on demand; None where the parameter is continuous."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Any:
        """A value at random, as a plain Python type that belongs to the caller."""

    @abstractmethod
    def __contains__(self, value: object) -> bool:
        """Whether the value may be chosen."""


@dataclass(frozen=True)
class Integer(Parameter):
    """A whole number from `low` to `high`, both included."""

    type: ClassVar[str] = "INTEGER"
    low: int
    high: int

    def __post_init__(self) -> None:
        low, high = _bounds(self.low, self.high, self.type)
        for bound in (low, high):
            if not isinstance(bound, int):
                raise SearchspaceError(f"the bounds of an INTEGER must be whole numbers, got {bound!r}; or use DOUBLE")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def values(self) -> list[int]:
        return [self.low, self.high]

    @property
    def grid(self) -> range:
        return range(self.low, self.high + 1)

    def draw(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.low, self.high, endpoint=True))

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class Double(Parameter):
    """A real number from `low` to `high`."""

    type: ClassVar[str] = "DOUBLE"
    low: float
    high: float

    def __post_init__(self) -> None:
        low, high = map(float, _bounds(self.low, self.high, self.type))
        if not math.isfinite(high - low):
            raise SearchspaceError(f"the range from {low} to {high} is too wide for floating-point numbers")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def values(self) -> list[float]:
        return [self.low, self.high]

    @property
    def grid(self) -> None:
        return None

    def draw(self, rng: np.random.Generator) -> float:
        return min(float(rng.uniform(self.low, self.high)), self.high)  # rounding may carry the sum past `high`

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice(Parameter):
    """One of several values; base of the two types that are given as a list.

    choices  a sequence of different values, kept as a tuple
    """

    choices: Sequence[Any]

    def __post_init__(self) -> None:
        choices = tuple(plain(value) for value in self.choices)
        if not choices:
            raise SearchspaceError("the list of values is empty")
        seen = set()
        for value in choices:
            key = json.dumps(value)  # tells 1 from True and from 1.0, which mean different things to many libraries
            if key in seen:
                raise SearchspaceError(f"the value {value!r} occurs twice")
            seen.add(key)
        object.__setattr__(self, "choices", choices)

    @property
    def values(self) -> list[Any]:
        return deepcopy(list(self.choices))

    @property
    def grid(self) -> Sequence[Any]:
        return self.choices

    def draw(self, rng: np.random.Generator) -> Any:
        # A copy, because a choice may be a list and trials must not share it.
        return deepcopy(self.choices[int(rng.integers(len(self.choices)))])

    def __contains__(self, value: object) -> bool:
        return any(type(value) is type(choice) and value == choice for choice in self.choices)


@dataclass(frozen=True)
class Discrete(Choice):
    """One of several values that stand in an order, e.g. batch sizes."""

    type: ClassVar[str] = "DISCRETE"


@dataclass(frozen=True)
class Categorical(Choice):
    """One of several values without an order, e.g. names of activations."""

    type: ClassVar[str] = "CATEGORICAL"


TYPES: dict[str, type[Integer | Double | Choice]] = {
    kind.type: kind for kind in (Integer, Double, Discrete, Categorical)
}


def parse(value: object) -> Parameter:
    """Read the seeds' form of a parameter, e.g. `("INTEGER", [2, 8])`; a `Parameter` is returned as it is.

    value  a pair of a type name in any case and a list, tuple, range or one-dimensional array of values

    Raises SearchspaceError where it says no parameter.
    """
    if isinstance(value, Parameter):
        return value
    if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], str):
        raise SearchspaceError(f"expected a pair of a type and a list, e.g. ('INTEGER', [2, 8]), got {value!r}")
    name, values = value
    kind = TYPES.get(name.upper())
    if kind is None:
        raise SearchspaceError(f"unknown type {name!r}, known: {', '.join(TYPES)}")
    if hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, list | tuple | range):
        raise SearchspaceError(f"expected a list after {kind.type}, e.g. ('INTEGER', [2, 8]), got {values!r}")
    if not values:
        raise SearchspaceError("the list of values is empty")
    if issubclass(kind, Choice):
        return kind(values)
    if len(values) != 2:
        raise SearchspaceError(f"{kind.type} takes two bounds, [low, high], got {len(values)} values; or use DISCRETE")
    return kind(*values)


def _bounds(low: Any, high: Any, type_name: str) -> tuple[Any, Any]:
    low, high = plain(low), plain(high)
    for bound in (low, high):
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise SearchspaceError(f"the bounds of {type_name} must be numbers, got {bound!r}")
    if low >= high:
        hint = "; for a constant use ('DISCRETE', [value])" if low == high else ""
        raise SearchspaceError(f"the lower bound {low} must be less than the upper bound {high}{hint}")
    return low, high
