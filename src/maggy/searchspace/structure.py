"""Templates: nested dicts and lists that hold hyperparameters, read, walked through and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maggy.errors import SearchspaceError
from maggy.searchspace.expressions import FuncParam, Grid
from maggy.searchspace.listed import Categorical, Discrete
from maggy.searchspace.parameters import Constant, Parameter, check_key, plain
from maggy.searchspace.ranges import Double, Integer, Normal

Node = Any
"""A dict or list of nodes, a Parameter, a FuncParam, or a plain value."""

_KINDS: tuple[type[Parameter], ...] = (Integer, Double, Discrete, Categorical, Normal, Constant, Grid)
TYPES = {kind.type: kind for kind in _KINDS}
_FUNC, _SAME = "FUNC", "SAME"
"""What `_expr_` says of a FuncParam, and of a parameter that stood elsewhere before."""

_NOTES = ("when", "prior", "confidence")
"""Options that every type has."""


def parse(value: object) -> Parameter:
    """Read the seeds' form of a parameter, e.g. `("INTEGER", [2, 8])`; a `Parameter` is returned as it is.

    value  a type name in any case, a list, tuple, range or one-dimensional array of values, and possibly a dict of
           options: `("DOUBLE", [1e-5, 1e-1], {"log": True, "when": {"optimizer": "sgd"}})`

    Raises SearchspaceError where it says no parameter.
    """
    if isinstance(value, Parameter):
        return value
    if (
        not isinstance(value, tuple | list)
        or len(value) not in (2, 3)
        or not isinstance(value[0], str)
        or (len(value) == 3 and not isinstance(value[2], Mapping))
    ):
        raise SearchspaceError(f"expected a pair of a type and a list, e.g. ('INTEGER', [2, 8]), got {value!r}")
    name, values = value[0].upper(), value[1]
    if name not in TYPES:
        raise SearchspaceError(f"unknown type {value[0]!r}, known: {', '.join(TYPES)}")
    if hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, list | tuple | range):
        raise SearchspaceError(f"expected a list after {name}, e.g. ('INTEGER', [2, 8]), got {values!r}")
    if not values:
        raise SearchspaceError("the list of values is empty")
    return _make(TYPES[name], values, value[2] if len(value) == 3 else {})


def _make(kind: type[Parameter], values: Sequence[Any], options: Mapping[str, Any]) -> Parameter:
    if unknown := [option for option in options if option not in (*kind.OPTIONS, *_NOTES)]:
        known = ", ".join((*kind.OPTIONS, *_NOTES))
        raise SearchspaceError(f"{kind.type} has no option {unknown[0]!r}, only {known}")
    parameter = kind.of(values, {name: said for name in kind.OPTIONS if (said := options.get(name)) is not None})
    if "prior" in options and (options["prior"] is not None or None in parameter):
        parameter = parameter.prior(options["prior"], options.get("confidence") or "medium")
    return parameter.when(**options["when"]) if options.get("when") else parameter


def read(value: object, name: str, known: dict[str, Parameter]) -> Node:
    """A template of one's own: a deep copy with plain values, in which every parameter is a `Parameter`.

    value  what the user wrote
    name   where it stands, dotted
    known  parameters by the name of their place, which is added to; a later place may refer to one of them

    Raises SearchspaceError that names the place.
    """
    if isinstance(value, Mapping) and "_expr_" not in value:
        return {key: read(child, _below(name, _key(key, name)), known) for key, child in value.items()}
    if isinstance(value, Mapping) and value["_expr_"] == _FUNC:
        value = FuncParam(value["func"], *value["args"], **value["kwargs"])
    if isinstance(value, FuncParam):
        args = [read(child, _below(name, index), known) for index, child in enumerate(value.args)]
        return FuncParam(
            value.func, *args, **{key: read(child, _below(name, key), known) for key, child in value.kwargs.items()}
        )
    try:
        if isinstance(value, Mapping):
            value = _expression(value, known)
        elif _says_type(value):
            value = parse(value)
        if isinstance(value, Parameter):
            known[name] = value
            return value.value if isinstance(value, Constant) and value.is_scalar else value
        if not isinstance(value, list | tuple):
            return plain(value)
    except SearchspaceError as error:
        raise SearchspaceError(f"hyperparameter {name!r}: {error}.") from None
    return [read(child, _below(name, index), known) for index, child in enumerate(value)]


def holds_expression(value: object) -> bool:
    """Whether anything in what the user wrote is chosen or computed."""
    if isinstance(value, Mapping):
        return "_expr_" in value or any(map(holds_expression, value.values()))
    if isinstance(value, list | tuple) and not _says_type(value):
        return any(map(holds_expression, value))
    return isinstance(value, Parameter | FuncParam | tuple)


def _says_type(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], str) and value[0].upper() in TYPES


def _below(name: str, step: str | int) -> str:
    return f"{name}.{step}" if name else str(step)


def _key(key: object, name: str) -> str:
    try:
        return check_key(key)
    except SearchspaceError as error:
        raise SearchspaceError(f"in {name!r}: {error}." if name else f"{error}.") from None


def _expression(value: Mapping[str, Any], known: Mapping[str, Parameter]) -> Parameter:
    """A parameter from its `jsondict`, or one that stood elsewhere before."""
    fields = dict(value)
    kind = fields.pop("_expr_")
    if kind == _SAME and fields.get("as") in known:
        return known[fields["as"]]
    return parse((kind, fields.pop("values", None), fields))


def written(node: Node, name: str, names: dict[int, str]) -> Any:
    """The inverse of `read`: dicts, lists and plain values, with functions as they are.

    names  the first place of each parameter by its id, which is added to
    """
    if isinstance(node, dict):
        return {key: written(child, _below(name, key), names) for key, child in node.items()}
    if isinstance(node, list):
        return [written(child, _below(name, index), names) for index, child in enumerate(node)]
    if isinstance(node, FuncParam):
        args = [written(child, _below(name, index), names) for index, child in enumerate(node.args)]
        kwargs = {key: written(child, _below(name, key), names) for key, child in node.kwargs.items()}
        return {"_expr_": _FUNC, "func": node.func, "args": args, "kwargs": kwargs}
    if isinstance(node, Parameter):
        first = names.setdefault(id(node), name)
        return node.jsondict if first == name else {"_expr_": _SAME, "as": first}
    return node


@dataclass(frozen=True)
class Place:
    """Where a parameter or a plain value stands in a template.

    name    the path, dotted
    path    keys and positions from the root
    before  for each step of the path, the elements that stand before it in the same list and may not exist
    leaf    what stands there
    hidden  whether it stands within a FuncParam, so that a configuration does not show it
    """

    name: str
    path: tuple[str | int, ...]
    before: tuple[tuple[Node, ...], ...]
    leaf: Node
    hidden: bool


_ROOT = Place("", (), (), None, False)


def walk(node: Node, up: Place = _ROOT) -> Iterator[Place]:
    """Every parameter and plain value of a template, in order."""
    hidden = up.hidden or isinstance(node, FuncParam)
    if isinstance(node, dict):
        for key, child in node.items():
            yield from walk(child, Place(_below(up.name, key), (*up.path, key), (*up.before, ()), None, hidden))
    elif isinstance(node, list):
        before: tuple[Node, ...] = ()
        for index, child in enumerate(node):
            yield from walk(child, Place(_below(up.name, index), (*up.path, index), (*up.before, before), None, hidden))
            if isinstance(child, Parameter | FuncParam):
                before = (*before, child)
    elif isinstance(node, FuncParam):
        yield from walk(node.args, Place(up.name, up.path, up.before, None, hidden))
        yield from walk(node.kwargs, Place(up.name, up.path, up.before, None, hidden))
    else:
        yield Place(up.name, up.path, up.before, node, hidden)
