"""A search space: the hyperparameters by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from maggy.errors import SearchspaceError
from maggy.searchspace.parameters import Parameter, parse

if TYPE_CHECKING:
    import numpy as np

INJECTED_NAMES = frozenset(
    {"hparams", "reporter", "model", "module", "dataset", "train_set", "test_set"}
    | {"model_function", "dataset_function", "budget", "resource", "context"}
)
"""What `lagom` passes to a training function under these names is no hyperparameter."""


class Searchspace:
    """What can be chosen: a type and a feasible region for each hyperparameter, in the order they were added.

    >>> sp = Searchspace(kernel=("INTEGER", [2, 8]), pool=("INTEGER", [2, 8]))
    >>> sp.add("dropout", ("DOUBLE", [0.01, 0.99]))
    >>> sp.dropout
    [0.01, 0.99]

    Types, in any case: INTEGER and DOUBLE take two bounds, both included; DISCRETE (ordered) and CATEGORICAL take
    a list of different values. A value is a str, int, float, bool, None, or a list of these.

    Two spaces are equal if they hold the same in the same order: the order decides what a seed draws.

    Raises SearchspaceError, a ValueError, for anything that cannot be searched.
    """

    __slots__ = ("_parameters",)

    def __init__(self, /, **parameters: object) -> None:
        self._parameters: dict[str, Parameter] = {}
        for name, value in parameters.items():
            self.add(name, value)

    def add(self, name: str, value: object) -> None:
        """Add a hyperparameter.

        name   how the training function calls it
        value  e.g. `("DOUBLE", [0.01, 0.99])`, or a `Parameter`
        """
        self._check_name(name)
        try:
            self._parameters[name] = parse(value)
        except SearchspaceError as error:
            raise SearchspaceError(f"hyperparameter {name!r}: {error}.") from None

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The typed parameters by name, read-only."""
        return MappingProxyType(self._parameters)

    def get(self, name: str, default: Any = None) -> Any:
        """The feasible region of a hyperparameter, `default` if there is none of that name."""
        return self._parameters[name].values if name in self._parameters else default

    def names(self) -> dict[str, str]:
        """The type of each hyperparameter by name."""
        return {name: parameter.type for name, parameter in self._parameters.items()}

    def keys(self) -> list[str]:
        """The names."""
        return list(self._parameters)

    def values(self) -> list[tuple[str, list[Any]]]:
        """The type and the feasible region of each."""
        return [(parameter.type, parameter.values) for parameter in self._parameters.values()]

    def items(self) -> Iterator[dict[str, Any]]:
        """The same as iterating over the space: a dict of `name`, `type` and `values` for each."""
        return iter(self)

    def to_dict(self) -> dict[str, tuple[str, list[Any]]]:
        """The space as a dict; `Searchspace(**d)` reads it back."""
        return dict(zip(self.keys(), self.values(), strict=True))

    def json(self) -> str:
        """The space as a JSON object; `Searchspace(**json.loads(text))` reads it back."""
        return json.dumps(self.to_dict())

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """A configuration at random."""
        return {name: parameter.draw(rng) for name, parameter in self._parameters.items()}

    def get_random_parameter_values(self, n: int, seed: int | None = None) -> list[dict[str, Any]]:
        """A list of `n` configurations at random, always the same for the same seed."""
        import numpy as np

        rng = np.random.default_rng(seed)
        return [self.draw(rng) for _ in range(n)]

    def __getattr__(self, name: str) -> list[Any]:
        # object's own lookup, because a copy or an unpickled space is asked for names before it has its slot
        parameters: dict[str, Parameter] = object.__getattribute__(self, "_parameters")
        if name in parameters:
            return parameters[name].values
        raise AttributeError(f"the search space has no hyperparameter {name!r}, only {list(parameters)}")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for name, parameter in self._parameters.items():
            yield {"name": name, "type": parameter.type, "values": parameter.values}

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __len__(self) -> int:
        return len(self._parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Searchspace):
            return NotImplemented
        return list(self._parameters.items()) == list(other._parameters.items())

    def __repr__(self) -> str:
        return f"Searchspace({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"

    def _check_name(self, name: object) -> None:
        if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
            raise SearchspaceError(
                f"{name!r} cannot name a hyperparameter: the training function could not take it as an argument."
            )
        if name in self._parameters:
            raise SearchspaceError(f"there is a hyperparameter {name!r} already.")
        if name in INJECTED_NAMES:
            raise SearchspaceError(
                f"the name {name!r} is reserved: a training function that asks for it gets something else. "
                "Choose another name for the hyperparameter."
            )
        if name in dir(type(self)):
            raise SearchspaceError(
                f"the name {name!r} is reserved: it is an attribute of every search space. "
                "Choose another name for the hyperparameter."
            )
