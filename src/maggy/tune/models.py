"""Classes that a space names by path: values travel as messages, and the classes beside them, with the objective."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from typing import Any

from maggy.errors import ConfigError
from maggy.searchspace import Parameter, Space

SPACE_MODEL_NAME = "__space__model"
"""Name, in a space, of the class."""

_named: dict[str, type] = {}


def model_space(model: type, params: dict[str, Any]) -> Space:
    """A space of one class, by its dotted path, and of parameters.

    This process remembers the class, so that one of a notebook, or of a function, can be found again.
    """
    path = f"{model.__module__}.{model.__qualname__}"
    _named[path] = model
    return Space({SPACE_MODEL_NAME: path, **params})


def imported(path: str) -> type:
    """The class of this dotted path. Raises ConfigError where there is none."""
    try:
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"there is no class {path!r}: {error}") from error
    if not isinstance(found, type):
        raise ConfigError(f"{path!r} is no class, but {found!r}")
    return found


def models_of(space: Space, made_by: str) -> dict[str, type]:
    """The classes that a space names, by dotted path.

    made_by  the function that makes such spaces

    Raises ConfigError where a branch names none.
    """
    return {path: _named.get(path) or imported(path) for path in _paths(space, made_by)}


def _paths(space: Space, made_by: str) -> Iterator[str]:
    for branch in space.branches:
        named = branch.template.root.get(SPACE_MODEL_NAME)
        if isinstance(named, Parameter):
            yield from map(str, named.grid or ())
        elif isinstance(named, str):
            yield named
        else:
            raise ConfigError(f"this part of the space names no model: {branch.template.root!r}. Make it by {made_by}")
