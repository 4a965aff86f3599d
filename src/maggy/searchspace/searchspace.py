"""The seeds' search space: one template, flat or nested, with the historical API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from keyword import iskeyword
from typing import Any

from maggy.errors import SearchspaceError
from maggy.searchspace.branch import Branch
from maggy.searchspace.listed import Listed
from maggy.searchspace.parameters import Constant, Parameter, check_name
from maggy.searchspace.ranges import Integer
from maggy.searchspace.space import Space
from maggy.searchspace.structure import TYPES, holds_expression, parse, read, walk
from maggy.searchspace.template import Template


class Searchspace(Space):
    """What can be chosen: a type and a feasible region for each hyperparameter, in the order they were added.

    >>> sp = Searchspace(kernel=("INTEGER", [2, 8]), pool=("INTEGER", [2, 8]))
    >>> sp.add("dropout", ("DOUBLE", [0.01, 0.99]))
    >>> sp.dropout
    [0.01, 0.99]

    Types, in any case: INTEGER and DOUBLE take two bounds, both included; DISCRETE (ordered) and CATEGORICAL take
    a list of different values; NORMAL takes mean and standard deviation, CONSTANT one value. A value is a str, int,
    float, bool, None, or a list of these. A third element has options, e.g. `{"log": True}`.

    A `Parameter` or an expression may stand in place of the tuple, and so may a dict or list that holds expressions, or
    a constant that is no list. What `forbid` and `start_with` have added is given under these names.

    Two spaces are equal if they hold the same in the same order: the order decides what a seed draws.

    Raises SearchspaceError, a ValueError, for anything that cannot be searched.
    """

    __slots__ = ()

    def __init__(self, /, **parameters: Any) -> None:
        super().__init__()
        clauses, starts = parameters.pop("forbid", ()), parameters.pop("start_with", ())
        for name, value in parameters.items():
            self.add(name, value)
        self._branches[0].check()
        for clause in clauses:
            self.forbid(clause) if callable(clause) else self.forbid(**clause)
        self.start_with(*starts)

    def add(self, name: str, value: object) -> None:
        """Add a hyperparameter.

        name   how the training function calls it
        value  e.g. `("DOUBLE", [0.01, 0.99])`, or a `Parameter`
        """
        self._check_name(name)
        if self._starts:
            raise SearchspaceError(f"add {name!r} before start_with(): the configurations there have no value for it.")
        (branch,) = self._branches
        root = branch.template.root
        known = {place.name: place.leaf for place in walk(root) if isinstance(place.leaf, Parameter)}
        try:
            value = _parsed(value)
        except SearchspaceError as error:
            raise SearchspaceError(f"hyperparameter {name!r}: {error}.") from None
        node = read(value, name, known)
        if isinstance(node, list) and not holds_expression(node):
            node = Constant(node)  # nothing in it is chosen; `to_dict` says so, since a bare list is refused here
        template = Template({**root, name: node})
        self._set((Branch(template, branch.clauses, branch.predicates),))

    def get(self, name: str, default: Any = None) -> Any:
        """The feasible region of a hyperparameter, `default` if there is none of that name."""
        return self.parameters[name].values if name in self.parameters else default

    def names(self) -> dict[str, str]:
        """The type of each hyperparameter by name."""
        return {name: parameter.type for name, parameter in self.parameters.items()}

    def values(self) -> list[tuple[str, list[Any]]]:
        """The type and the feasible region of each."""
        return [(parameter.type, parameter.values) for parameter in self.parameters.values()]

    def items(self) -> Iterator[dict[str, Any]]:
        """The same as iterating over the space: a dict of `name`, `type` and `values` for each."""
        return iter(self)

    def to_dict(self) -> dict[str, Any]:
        """The space as a dict; `Searchspace(**d)` reads it back."""
        (branch,) = self._document()["branches"]
        said = {name: _seeds_form(value) for name, value in branch["template"].items()}
        if branch["forbid"]:
            said["forbid"] = branch["forbid"]
        if self._starts:
            said["start_with"] = list(self.starts)
        return said

    @classmethod
    def from_json(cls, text: str) -> Searchspace:
        """Read what `json` has written."""
        return cls(**json.loads(text))

    def get_random_parameter_values(self, n: int, seed: int | None = None) -> list[dict[str, Any]]:
        """A list of `n` configurations at random, always the same for the same seed."""
        import numpy as np

        rng = np.random.default_rng(seed)
        return [self.draw(rng) for _ in range(n)]

    def transform(self, hparams: Mapping[str, Any] | Sequence[Any], normalize_categorical: bool = False) -> list[float]:
        """Each hyperparameter as a number: from 0 to 1, or the position in its list.

        hparams                a value for each hyperparameter, by dotted name or in order
        normalize_categorical  whether positions are divided by the last one, so that they go from 0 to 1 too
        """
        self._check_length(hparams)
        given = [hparams[name] for name in self.parameters] if isinstance(hparams, Mapping) else list(hparams)
        return [
            _number_of(parameter, value, normalize_categorical)
            for parameter, value in zip(self.parameters.values(), given, strict=True)
        ]

    def inverse_transform(self, transformed: Sequence[float], normalize_categorical: bool = False) -> list[Any]:
        """The values, in order, that `transform` has made numbers of."""
        self._check_length(transformed)
        return [
            _value_of(parameter, float(u), normalize_categorical)
            for parameter, u in zip(self.parameters.values(), transformed, strict=True)
        ]

    def __getattr__(self, name: str) -> list[Any]:
        # object's own lookup, because a copy or an unpickled space is asked for names before it has its slots
        object.__getattribute__(self, "_branches")
        if name in self.parameters:
            return self.parameters[name].values
        raise AttributeError(f"the search space has no hyperparameter {name!r}, only {list(self.parameters)}")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for name, parameter in self.parameters.items():
            yield {"name": name, "type": parameter.type, "values": parameter.values}

    def __repr__(self) -> str:
        return f"Searchspace({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"

    def _check_name(self, name: object) -> None:
        if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
            raise SearchspaceError(
                f"{name!r} cannot name a hyperparameter: the training function could not take it as an argument."
            )
        if name in self.keys():
            raise SearchspaceError(f"there is a hyperparameter {name!r} already.")
        check_name(name)
        if name in dir(type(self)):
            raise SearchspaceError(
                f"the name {name!r} is reserved: it is an attribute of every search space. "
                "Choose another name for the hyperparameter."
            )


def _parsed(value: object) -> object:
    """A tuple or list is the seeds' form here, unless it is a list with expressions; so is the bare name of a type."""
    if isinstance(value, list) and holds_expression(value):
        return value
    if isinstance(value, tuple | list) or (isinstance(value, str) and value.upper() in TYPES):
        return parse(value)
    return value


def _seeds_form(value: Any) -> Any:
    """A hyperparameter as a tuple, from its `jsondict`; a constant as one too, so that it is not taken for another."""
    if isinstance(value, dict):
        if value.get("_expr_") not in TYPES:
            return value
        options = {name: said for name, said in value.items() if name not in ("_expr_", "values")}
        form = (value["_expr_"], value["values"])
        return (*form, options) if options else form
    return value if isinstance(value, list) else ("CONSTANT", [value])


def _number_of(parameter: Parameter, value: Any, normalize: bool) -> float:
    if isinstance(parameter, Listed):
        last = len(parameter.grid) - 1
        position = round(parameter.to_unit(value) * (last + 1) - 0.5)
        return position / max(last, 1) if normalize else float(position)
    if isinstance(parameter, Integer) and not parameter.options:
        return float((value - parameter.low) / (parameter.high - parameter.low))
    return parameter.to_unit(value)


def _value_of(parameter: Parameter, u: float, normalize: bool) -> Any:
    if isinstance(parameter, Listed):
        return parameter.values[round(u * (len(parameter.grid) - 1) if normalize else u)]
    if isinstance(parameter, Integer) and not parameter.options:
        return round(parameter.low + u * (parameter.high - parameter.low))
    return parameter.from_unit(u)
