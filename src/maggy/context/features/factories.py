"""Columns of what a factory makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from maggy.context.features.cut import Cut

MANY, ONE = "ablated_features", "ablated_feature"
"""Arguments by which a factory asks for what to leave out: a tuple of names, or one name or None."""


def leave_out_of_factory(
    factory: Callable[..., Any],
    cut: Cut,
    what: str,
    leave_out: Callable[[Any], Any],
    check: Callable[[Any], None],
) -> Callable[..., Any]:
    """A factory of the same signature that makes data without these columns.

    leave_out  does it, unless the factory itself takes `ablated_features` or `ablated_feature`
    check      raises AblationError where what such a factory has made still has one of the columns
    """
    asks = asked(factory)
    if asks is None:
        return _wrapped(factory, lambda *args, **keywords: leave_out(factory(*args, **keywords)))
    check_factory(factory, cut, what)
    columns = tuple(cut.fills)
    told = {asks: columns if asks == MANY else columns[0]}

    def make(*args: Any, **keywords: Any) -> Any:
        data = factory(*args, **{**keywords, **told})
        check(data)
        return data

    return _wrapped(factory, make)


def check_factory(factory: Callable[..., Any], cut: Cut, what: str) -> None:
    """Raise AblationError for a factory that asks for what to leave out and cannot be told these columns."""
    asks = asked(factory)
    if asks is None:
        return
    if cut.has_fill:
        raise cut.error(f"{what} leaves out features by itself ({asks}=), so fill= has no meaning for it")
    if asks == ONE and len(cut.fills) > 1:
        count = len(cut.fills)
        raise cut.error(f"{what} takes one {ONE}=, and {count} are to go at once; let it take {MANY}=, a tuple")
    for key in cut.fills:
        if str(key).endswith("*"):
            raise cut.error(
                f"{what} leaves out features by itself ({asks}=), and nobody knows beforehand which of its columns "
                f"{key!r} stands for: name them, or let Maggy leave them out of what it makes, without {asks}=",
                key,
            )


def whole(factory: Callable[..., Any]) -> Callable[..., Any]:
    """The factory for a training with all columns: one that asks for what to leave out is told nothing."""
    asks = asked(factory)
    if asks is None:
        return factory
    told = {asks: () if asks == MANY else None}
    return _wrapped(factory, lambda *args, **keywords: factory(*args, **{**keywords, **told}))


def asked(factory: Callable[..., Any]) -> str | None:
    """The argument by which a factory asks for what to leave out."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # some builtins tell nobody
        return None
    return next((name for name in (MANY, ONE) if name in parameters), None)


def _wrapped(factory: Callable[..., Any], make: Callable[..., Any]) -> Callable[..., Any]:
    def made(*args: Any, **keywords: Any) -> Any:
        return make(*args, **keywords)

    return update_wrapper(made, factory, updated=())
