"""The class or factory of a model, such that something is done to each model that it makes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def finishing(factory: Callable[..., Any], finish: Callable[[Any], Any]) -> Callable[..., Any]:
    """The class or factory, such that `finish` gets each model when it is made, and gives what the caller gets.

    A class stays a class, see `subclass`; a partial stays a partial; anything else that can be called becomes a
    function with its name and signature.
    """
    if isinstance(factory, functools.partial):
        return functools.partial(finishing(factory.func, finish), *factory.args, **factory.keywords)
    if isinstance(factory, type):
        return subclass(factory, finish)

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> Any:
        return finish(factory(*args, **kwargs))

    return make


def subclass(kind: Any, finish: Callable[[Any], Any], **methods: Any) -> type:
    """A subclass with the name and signature of its base, whose instances `finish` gets when they are made."""

    @functools.wraps(kind.__init__)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        # No super(): Lightning takes a frame that has one for the user's own __init__ and looks for its arguments.
        kind.__init__(self, *args, **kwargs)
        finish(self)

    return named_like(kind, (kind,), {"__init__": __init__, **methods})


def named_like(kind: Any, bases: tuple[Any, ...], namespace: dict[str, Any]) -> type:
    """A new class that looks like another."""
    made: type = type(kind)(kind.__name__, bases, {"__doc__": kind.__doc__, **namespace})
    made.__module__, made.__qualname__ = kind.__module__, kind.__qualname__
    return made
