"""One template: nested dicts and lists with hyperparameters, and which of them exist under which values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Set
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any

from maggy.errors import SearchspaceError
from maggy.searchspace.expressions import FuncParam
from maggy.searchspace.parameters import Constant, Parameter, check_key, key_of, plain_tree
from maggy.searchspace.ranges import Double
from maggy.searchspace.structure import Node, Place, read, walk, written

if TYPE_CHECKING:
    import numpy as np

Flat = dict[str, Any]
"""Values of hyperparameters by dotted name."""

Test = tuple[str, frozenset[Hashable]]
"""A name, and the keys of the values that it may have."""

_ABSENT = object()


class Template:
    """One template, compiled when it is first used.

    root  a dict of nodes, as `structure.read` makes them; never changed

    Raises SearchspaceError, on first use, for a condition that names nothing, or that leads round in a circle.
    """

    def __init__(self, root: dict[str, Node]) -> None:
        self.root = root

    def __reduce__(self) -> tuple[type[Template], tuple[dict[str, Node]]]:
        return Template, (self.root,)  # what is compiled holds ids of objects

    @classmethod
    def of(cls, params: Mapping[str, object]) -> Template:
        """Read what the user wrote."""
        known: dict[str, Parameter] = {}
        return cls({key: read(value, check_key(key), known) for key, value in params.items()})

    @property
    def names(self) -> Set[str]:
        """The names of all parameters and constants."""
        return self._compiled.aliases.keys()

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What can be chosen, by name, each after those that its conditions name."""
        return self._compiled.parameters

    @property
    def optional(self) -> frozenset[str]:
        """Keys of the root that may be absent from a configuration."""
        return frozenset(key for key, node in self.root.items() if _may_be_absent(node))

    def compile(self) -> None:
        """Check it now, instead of on first use."""
        _ = self._compiled

    def is_active(self, name: str, flat: Mapping[str, Any]) -> bool:
        """Whether the parameter exists under these values."""
        for parent, allowed in self._compiled.conditions.get(name, ()):
            if not self.has_one_of(parent, allowed, flat):
                return False
        return True

    def has_one_of(self, name: str, allowed: frozenset[Hashable], flat: Mapping[str, Any]) -> bool:
        """Whether a parameter or constant exists and has one of the values."""
        constants = self._compiled.constants
        value = constants[name] if name in constants else flat.get(name, _ABSENT)
        return value is not _ABSENT and key_of(value) in allowed and self.is_active(name, flat)

    def test(self, name: str, values: Iterable[Any], who: str) -> Test:
        """A check of the values that a condition or a forbidden combination names.

        who  begins the message of the error
        """
        return _test(name, values, who, self._compiled.aliases, self._compiled.leaves)

    def draw(self, rng: np.random.Generator, fixed: Mapping[str, Any]) -> Flat:
        """Values at random; `fixed` has some of them by name."""
        flat: Flat = {}
        for name, parameter in self.parameters.items():
            if self.is_active(name, flat):
                flat[name] = fixed[name] if name in fixed else parameter.draw(rng)
        return flat

    def fill(self, flat: Flat) -> dict[str, Any]:
        """The configuration with these values, a copy. Values of what does not exist are ignored."""
        filled: dict[str, Any] = self._fill(self.root, flat)
        return filled

    def _fill(self, node: Node, flat: Flat) -> Any:
        if isinstance(node, dict):
            filled = {key: self._fill(child, flat) for key, child in node.items()}
            return {key: value for key, value in filled.items() if value is not _ABSENT}
        if isinstance(node, list):
            return [value for child in node if (value := self._fill(child, flat)) is not _ABSENT]
        if isinstance(node, FuncParam):
            return self._call(node, flat) if self._exists(node, flat) else _ABSENT
        if not isinstance(node, Parameter):
            return node
        name = self._compiled.names[id(node)]
        if not self.is_active(name, flat):
            return _ABSENT
        if isinstance(node, Constant):
            return deepcopy(node.value)
        if name not in flat:
            raise SearchspaceError(f"there is no value for hyperparameter {name!r}")
        return deepcopy(flat[name]) if isinstance(flat[name], list) else flat[name]

    def _call(self, node: FuncParam, flat: Flat) -> Any:
        args, kwargs = self._fill(node.args, flat), self._fill(node.kwargs, flat)
        try:
            return plain_tree(node.func(*args, **kwargs))
        except Exception as error:
            who = getattr(node.func, "__name__", repr(node.func))
            raise SearchspaceError(f"FuncParam: {who} failed with {args} and {kwargs}: {error!r}") from error

    def _exists(self, node: Node, flat: Flat) -> bool:
        if isinstance(node, FuncParam):
            return all(self._exists(child, flat) for child in node.args)
        return not isinstance(node, Parameter) or self.is_active(self._compiled.names[id(node)], flat)

    def check_visible(self) -> None:
        """Raises SearchspaceError for a parameter that only a FuncParam sees."""
        for name in self.parameters:
            if self._compiled.places[name].hidden:
                raise SearchspaceError(
                    f"the value of hyperparameter {name!r} cannot be told from a configuration, because only a "
                    "FuncParam sees it. Give the same expression a key of its own too: "
                    "r = Rand(0, 1); Space(r=r, x=FuncParam(f, r))"
                )

    def flat(self, params: Mapping[str, Any]) -> Flat:
        """The values by name: the inverse of `fill`.

        Raises SearchspaceError where a value is missing, and for a parameter that only a FuncParam sees.
        """
        self.check_visible()
        flat: Flat = {}
        for name, parameter in self.parameters.items():
            if not self.is_active(name, flat):
                continue
            place = self._compiled.places[name]
            value: Any = params
            for step, before in zip(place.path, place.before, strict=True):
                if isinstance(step, int):
                    step -= sum(not self._exists(node, flat) for node in before)
                try:
                    value = value[step]
                except (KeyError, IndexError, TypeError):
                    raise SearchspaceError(f"the configuration {params} has no value for {name!r}") from None
            flat[name] = float(value) if isinstance(parameter, Double) and type(value) is int else value
        return flat

    def assign(self, values: Mapping[str, Any]) -> Template:
        """The template with these parameters as constants."""
        names = self._compiled.names

        def assigned(node: Node) -> Node:
            if isinstance(node, dict):
                return {key: assigned(child) for key, child in node.items()}
            if isinstance(node, list):
                return [assigned(child) for child in node]
            if isinstance(node, FuncParam):
                return FuncParam(node.func, *assigned(node.args), **assigned(node.kwargs))
            if not isinstance(node, Parameter) or names[id(node)] not in values:
                return node
            constant = Constant(values[names[id(node)]], conditions=node.conditions)
            return constant.value if constant.is_scalar else constant

        return Template(assigned(self.root))

    def document(self) -> dict[str, Any]:
        """The template as dicts and lists, see `structure.written`."""
        document: dict[str, Any] = written(self.root, "", {})
        return document

    @cached_property
    def _compiled(self) -> _Compiled:
        return _Compiled(self.root)


class _Compiled:
    """What there is to know about a template.

    names       the name of each parameter and conditional constant, by its id
    aliases     the same by the name of every place where it stands
    leaves      parameters and conditional constants by name, in the order of the template
    constants   plain values by name, those of conditional constants too
    places      the place where the value of a parameter can be seen
    conditions  what has to hold for it to exist
    parameters  what can be chosen: a parameter whose conditions can never hold is none
    """

    def __init__(self, root: dict[str, Node]) -> None:
        self.names: dict[int, str] = {}
        self.aliases: dict[str, str] = {}
        self.leaves: dict[str, Parameter] = {}
        self.constants: Flat = {}
        self.places: dict[str, Place] = {}
        for place in walk(root):
            self._take(place)
        self.conditions = {
            name: tuple(
                _test(parent, values, f"hyperparameter {name!r}: the condition", self.aliases, self.leaves)
                for parent, values in leaf.conditions
            )
            for name, leaf in self.leaves.items()
            if leaf.conditions
        }
        self.parameters: dict[str, Parameter] = {}
        dead: set[str] = set()
        for name in self._ordered():
            for parent, allowed in self.conditions.get(name, ()):
                unmet = parent in self.constants and key_of(self.constants[parent]) not in allowed
                if unmet or parent in dead:
                    dead.add(name)
            if name not in dead and not isinstance(self.leaves[name], Constant):
                self.parameters[name] = self.leaves[name]

    def _take(self, place: Place) -> None:
        leaf = place.leaf
        if not isinstance(leaf, Parameter):
            self.aliases[place.name] = place.name
            self.constants[place.name] = leaf
            return
        name = self.aliases[place.name] = self.names.setdefault(id(leaf), place.name)
        if isinstance(leaf, Constant):
            self.constants[name] = leaf.value
        self.leaves[name] = leaf
        if name not in self.places or self.places[name].hidden:
            self.places[name] = place

    def _ordered(self) -> list[str]:
        """The names of the leaves, each after those that have to be known before it."""
        ordered: dict[str, None] = {}

        def visit(name: str, trail: tuple[str, ...]) -> None:
            if name in trail:
                circle = " -> ".join((*trail[trail.index(name) :], name))
                raise SearchspaceError(f"the conditions go round in a circle: {circle}")
            if name in ordered or name not in self.leaves:
                return
            for parent in self._needed(name):
                visit(parent, (*trail, name))
            ordered[name] = None

        for name in self.leaves:
            visit(name, ())
        return list(ordered)

    def _needed(self, name: str) -> Iterable[str]:
        yield from (parent for parent, _ in self.conditions.get(name, ()))
        for before in self.places[name].before:  # where it stands in a list depends on which of these exist
            for place in walk([node for node in before if _may_be_absent(node)]):
                if isinstance(place.leaf, Parameter):
                    yield from (parent for parent, _ in self.conditions.get(self.names[id(place.leaf)], ()))


def _may_be_absent(node: Node) -> bool:
    if isinstance(node, FuncParam):
        return any(map(_may_be_absent, node.args))
    return isinstance(node, Parameter) and bool(node.conditions)


def _test(
    name: str, values: Iterable[Any], who: str, aliases: Mapping[str, str], leaves: Mapping[str, Parameter]
) -> Test:
    if name not in aliases:
        raise SearchspaceError(f"{who} names {name!r}, but there are only {', '.join(map(repr, aliases))}")
    parent = leaves.get(aliases[name])
    if parent is None or isinstance(parent, Constant):
        return aliases[name], frozenset(map(key_of, values))
    if parent.grid is None:
        raise SearchspaceError(
            f"{who} names {name!r}, which has no end of values; name one with a list of values or with a step q"
        )
    keys = set()
    for value in values:
        if value not in parent:
            raise SearchspaceError(f"{who} says {name}={value!r}, which is none of the values of {parent!r}")
        keys.add(key_of(parent.from_unit(parent.to_unit(value)) if isinstance(parent, Double) else value))
    return aliases[name], frozenset(keys)
