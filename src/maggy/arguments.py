"""Objects that know what they were made with."""

from __future__ import annotations

import inspect
from typing import Any, Self


class KeepsArguments:
    """Remembers the arguments of its constructor, so that an experiment can say what it was begun with.

    arguments  by name, as they were given; those left to their defaults are not in it
    """

    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        made = super().__new__(cls)
        made.arguments = {}
        if args or kwargs:
            try:
                bound = inspect.signature(cls.__init__).bind(made, *args, **kwargs).arguments
            except TypeError:  # which __init__ will raise
                return made
            made.arguments = dict(list(bound.items())[1:])
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"
