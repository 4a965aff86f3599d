"""What one hyperparameter may be: frozen values, checked when they are made."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import MISSING, dataclass, field, fields
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from maggy.errors import SearchspaceError

if TYPE_CHECKING:
    import numpy as np

LARGEST_INT = 2**53
"""Whole numbers beyond this are not exact in every reader of JSON (a browser is one)."""

INJECTED_NAMES = frozenset(
    {"hparams", "reporter", "model", "module", "dataset", "train_set", "test_set"}
    | {"model_function", "dataset_function", "budget", "resource", "context"}
)
"""What `lagom` passes to a training function under these names is no hyperparameter."""

Confidence = Literal["low", "medium", "high"]

SPREAD: Mapping[str, float] = {"low": 0.5, "medium": 0.25, "high": 0.125}
"""Standard deviation, in the unit interval, of a prior of this confidence."""

UNIFORM_SHARE = 1 / 3
"""The share of draws that ignore the prior, so that one that is wrong does not ruin a search."""


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


def plain_tree(value: Any) -> Any:
    """As `plain`, for dicts with text as keys too, and with tuples as lists."""
    if isinstance(value, Mapping):
        return {check_key(key): plain_tree(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [plain_tree(element) for element in value]
    return plain(value)


def check_key(key: object) -> str:
    """A key of a nested dict; dotted names are made of them."""
    if not isinstance(key, str) or not key or "." in key or key == "_expr_":
        raise SearchspaceError(f"{key!r} cannot be a key: keys are text without a dot, and not '_expr_'")
    return key


def check_name(name: object) -> None:
    """Raises SearchspaceError for a name under which `lagom` passes something else."""
    if name in INJECTED_NAMES:
        raise SearchspaceError(
            f"the name {name!r} is reserved: a training function that asks for it gets something else. "
            "Choose another name for the hyperparameter."
        )


def key_of(value: Any) -> Hashable:
    """What tells values apart: 1, True and 1.0 mean different things to many libraries."""
    return (type(value), value) if isinstance(value, str | int | None) else json.dumps(value)


def several(values: object) -> tuple[Any, ...]:
    """The values that a condition names: one, or a list of them."""
    return tuple(map(plain, values)) if isinstance(values, list | tuple) else (plain(values),)


def number(value: object, rule: str) -> float:
    """A finite int or float.

    rule  what the error says where it is none, e.g. "sigma must be a number"
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SearchspaceError(f"{rule}, got {value!r}")
    return value


@dataclass(frozen=True)
class Prior:
    """Where a good value is believed to lie.

    value       the most likely one
    confidence  how close to it: "low", "medium" or "high"
    """

    value: Any
    confidence: Confidence = "medium"


@dataclass(frozen=True, eq=False, repr=False)
class Parameter(ABC):
    """One hyperparameter, without its name.

    type        the seeds' name of its type
    conditions  pairs of a name and the values of that hyperparameter under which this one exists; see `when`
    belief      where a good value is believed to lie, see `prior`

    Two are equal if they say the same. Within one space an object that stands in several places is one variable.
    """

    type: ClassVar[str]
    OPTIONS: ClassVar[tuple[str, ...]] = ()
    """Names of the arguments beyond `values`."""

    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = field(default=(), kw_only=True)
    belief: Prior | None = field(default=None, kw_only=True)

    @classmethod
    @abstractmethod
    def of(cls, values: Sequence[Any], options: Mapping[str, Any]) -> Self:
        """The parameter with these `values`, and those of its own `OPTIONS` that are given."""

    @property
    @abstractmethod
    def values(self) -> list[Any]:
        """The feasible region as the user wrote it: two bounds, or every choice."""

    @property
    @abstractmethod
    def grid(self) -> Sequence[Any] | None:
        """Every value in order, made on demand; None where there is no end of them."""

    @abstractmethod
    def __contains__(self, value: object) -> bool:
        """Whether the value may be chosen."""

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """Where the value lies between 0 and 1: a log scale is linear here, and of k values each owns one kth."""

    @abstractmethod
    def from_unit(self, u: float) -> Any:
        """The value at `u` between 0 and 1; the inverse of `to_unit`, up to rounding."""

    @abstractmethod
    def _draw(self, rng: np.random.Generator) -> Any:
        """A value at random, without the prior."""

    def draw(self, rng: np.random.Generator) -> Any:
        """A value at random, as a plain Python type that belongs to the caller."""
        if self.belief is None or rng.random() < UNIFORM_SHARE:
            return self._draw(rng)
        return self._draw_believed(self.belief, rng)

    def generate(self, seed: int | None = None) -> Any:
        """A value at random, always the same for the same seed."""
        return self.generate_many(1, seed)[0]

    def generate_many(self, n: int, seed: int | None = None) -> list[Any]:
        """A list of `n` values at random, always the same for the same seed."""
        import numpy as np

        rng = np.random.default_rng(seed)
        return [self.draw(rng) for _ in range(n)]

    def when(self, /, **values: object) -> Self:
        """The same hyperparameter, but existing only where others have one of these values.

        values  by name, one or a list of them: `Rand(0, 1).when(optimizer=["sgd", "rmsprop"])`. A dotted name is
                given as `.when(**{"optim.name": "sgd"})`. All have to hold.
        """
        if not values:
            raise SearchspaceError("when() needs a condition, e.g. .when(optimizer='sgd')")
        if twice := values.keys() & dict(self.conditions).keys():
            raise SearchspaceError(f"there is a condition on {sorted(twice)} already")
        return self._with(conditions=(*self.conditions, *((name, several(value)) for name, value in values.items())))

    def prior(self, value: Any, confidence: Confidence = "medium") -> Self:
        """The same hyperparameter, but with most draws near `value`.

        value       a value that is known to be good
        confidence  "low", "medium" or "high": a standard deviation of 1/2, 1/4 or 1/8 of the range

        A third of the draws ignore it. Where the values have no order, `value` is 2, 4 or 8 times as likely as any
        other.
        """
        value = plain(value)
        if confidence not in SPREAD:
            raise SearchspaceError(f"the confidence of a prior is 'low', 'medium' or 'high', got {confidence!r}")
        if value not in self:
            raise SearchspaceError(f"the prior {value!r} lies outside of {self!r}")
        return self._with(belief=Prior(value, confidence))

    @property
    def options(self) -> dict[str, Any]:
        """What is said beyond `values`: the third element of the seeds' form."""
        said = {name: value for name in self.OPTIONS if (value := getattr(self, name)) != self._default(name)}
        if self.belief is not None:
            said |= {"prior": self.belief.value, "confidence": self.belief.confidence}
        if self.conditions:
            said["when"] = {name: list(values) for name, values in self.conditions}
        return said

    @property
    def jsondict(self) -> dict[str, Any]:
        """The hyperparameter as a dict that JSON can hold; templates read it back."""
        return {"_expr_": self.type, "values": self.values, **self.options}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameter):
            return NotImplemented
        return json.dumps(self.jsondict) == json.dumps(other.jsondict)

    def __hash__(self) -> int:
        return hash(json.dumps(self.jsondict))

    def __repr__(self) -> str:
        said = self.options
        arguments = [*self._written(), *(f"{name}={said[name]!r}" for name in self.OPTIONS if name in said)]
        calls = "".join(f".when({name}={list(values)!r})" for name, values in self.conditions)
        if self.belief is not None:
            calls += f".prior({self.belief.value!r}, {self.belief.confidence!r})"
        return f"{type(self).__name__}({', '.join(arguments)}){calls}"

    def _written(self) -> list[str]:
        """`values` as arguments of the class."""
        return list(map(repr, self.values))

    @classmethod
    def _default(cls, name: str) -> Any:
        return next(f.default for f in fields(cls) if f.name == name and f.default is not MISSING)

    def _with(self, **changes: Any) -> Self:
        changed = copy(self)
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        return changed

    def _draw_believed(self, belief: Prior, rng: np.random.Generator) -> Any:
        """From a normal distribution around the prior, cut off at the ends of the unit interval."""
        normal = NormalDist(self.to_unit(belief.value), SPREAD[belief.confidence])
        low, high = normal.cdf(0.0), normal.cdf(1.0)
        share = min(max(low + (high - low) * float(rng.random()), 1e-15), 1 - 1e-15)
        return self.from_unit(min(max(normal.inv_cdf(share), 0.0), 1.0))


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Parameter):
    """Always the same value; with a condition, a value that may be absent.

    value  anything that JSON can hold
    """

    type: ClassVar[str] = "CONSTANT"
    value: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", plain_tree(self.value))

    @classmethod
    def of(cls, values: Sequence[Any], options: Mapping[str, Any]) -> Self:
        if len(values) != 1:
            raise SearchspaceError(f"CONSTANT takes one value, [value], got {len(values)} values; or use DISCRETE")
        return cls(values[0])

    @property
    def values(self) -> list[Any]:
        return [deepcopy(self.value)]

    @property
    def grid(self) -> Sequence[Any]:
        return (self.value,)

    @property
    def is_scalar(self) -> bool:
        """Whether the bare value says the same in a template, where a list or dict has places of its own."""
        return not self.conditions and not isinstance(self.value, list | dict)

    def __contains__(self, value: object) -> bool:
        return value == self.value and type(value) is type(self.value)

    def to_unit(self, value: Any) -> float:
        return 0.5

    def from_unit(self, u: float) -> Any:
        return deepcopy(self.value)

    def _draw(self, rng: np.random.Generator) -> Any:
        return deepcopy(self.value)
