"""Hyperparameters that are given as a list of values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from maggy.errors import SearchspaceError
from maggy.searchspace.parameters import SPREAD, Parameter, Prior, key_of, plain

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Listed(Parameter):
    """One of several values; base of the types that are given as a list.

    choices  a sequence of different values, kept as a tuple
    """

    choices: Sequence[Any]

    def __post_init__(self) -> None:
        choices = tuple(map(_choice, self.choices))
        if not choices:
            raise SearchspaceError("the list of values is empty")
        seen = set()
        for value in choices:
            if key_of(value) in seen:
                raise SearchspaceError(f"the value {value!r} occurs twice")
            seen.add(key_of(value))
        object.__setattr__(self, "choices", choices)

    @classmethod
    def of(cls, values: Sequence[Any], options: Mapping[str, Any]) -> Self:
        return cls(values)

    @property
    def values(self) -> list[Any]:
        return deepcopy(list(self.choices))

    @property
    def grid(self) -> Sequence[Any]:
        return self.choices

    @cached_property
    def _index(self) -> dict[Hashable, int]:
        return {key_of(value): index for index, value in enumerate(self.choices)}

    def __contains__(self, value: object) -> bool:
        try:
            return key_of(plain(value)) in self._index
        except SearchspaceError:
            return False

    def to_unit(self, value: Any) -> float:
        index = self._index.get(key_of(value))
        if index is None:
            raise SearchspaceError(f"{value!r} is none of {self.values}")
        return (index + 0.5) / len(self.choices)

    def from_unit(self, u: float) -> Any:
        return self._pick(min(int(u * len(self.choices)), len(self.choices) - 1))

    def _draw(self, rng: np.random.Generator) -> Any:
        return self._pick(int(rng.integers(len(self.choices))))

    def _written(self) -> list[str]:
        return [repr(self.values)]

    def _pick(self, index: int) -> Any:
        return deepcopy(self.choices[index])  # a choice may be a list, and trials must not share it


@dataclass(frozen=True, eq=False, repr=False)
class Discrete(Listed):
    """One of several values that stand in an order, e.g. batch sizes."""

    type: ClassVar[str] = "DISCRETE"


@dataclass(frozen=True, eq=False, repr=False)
class Categorical(Listed):
    """One of several values without an order, e.g. names of activations."""

    type: ClassVar[str] = "CATEGORICAL"

    def _draw_believed(self, belief: Prior, rng: np.random.Generator) -> Any:
        weight = 1 / SPREAD[belief.confidence]  # against 1 for each other value
        others = len(self.choices) - 1
        if rng.random() * (weight + others) < weight:
            return deepcopy(belief.value)
        index = int(rng.integers(others))
        return self._pick(index + (index >= self._index[key_of(belief.value)]))


def _choice(value: Any) -> Any:
    if isinstance(value, Mapping | Parameter):
        raise SearchspaceError(
            f"a value of a list cannot be of type {type(value).__name__}, got {value!r}. Where alternatives have "
            "hyperparameters of their own, write a union: Space(kind='a', rate=Rand(0, 1)) + Space(kind='b')"
        )
    return plain(value)
