"""Which of a model's layers a component's patterns stand for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from maggy.ablation.components import Layers
from maggy.errors import AblationError, did_you_mean, shown


def select(names: Sequence[str], layers: Layers, *, separator: str, kept: Collection[str] = ()) -> list[str]:
    """The names that the patterns stand for, in the order of `names`, without what lies inside of another of them.

    A pattern is a name, else a shell pattern, else either of them in other upper and lower case.

    separator  between the name of a layer and that of a layer inside of it
    kept       names that cannot be left out: a shell pattern passes over them

    Raises AblationError where a pattern stands for nothing, or for a name that is kept.
    """
    found: set[str] = set()
    for pattern in layers.patterns:
        matches = _matches(names, pattern)
        free = [name for name in matches if name not in kept]
        if matches and not free:
            raise AblationError(
                f"{matches[0]!r} makes the model's output and cannot be left out. It can be frozen (how='freeze'), or "
                "another model can stand in with study.model.add_custom_model_generator",
                component=layers.name,
            )
        if not free:
            raise AblationError(_nothing(names, pattern), component=layers.name)
        found.update(free)
    return [name for name in names if name in found and not any(outer in found for outer in _outer(name, separator))]


def _matches(names: Sequence[str], pattern: str) -> list[str]:
    if pattern in names:
        return [pattern]
    if matches := [name for name in names if fnmatchcase(name, pattern)]:
        return matches
    folded = pattern.casefold()
    return [name for name in names if name.casefold() == folded] or [
        name for name in names if fnmatchcase(name.casefold(), folded)
    ]


def _outer(name: str, separator: str) -> list[str]:
    parts = name.split(separator)
    return [separator.join(parts[:end]) for end in range(1, len(parts))]


def _nothing(names: Sequence[str], pattern: str) -> str:
    hint = did_you_mean(pattern.strip("*"), names)
    return f"no layer of the model is called {pattern!r}, or matches it.{hint} It has: {shown(names) or 'none'}"
