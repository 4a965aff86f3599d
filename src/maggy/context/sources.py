"""The user's own code as text, so that a change of it can be noticed and shown."""

from __future__ import annotations

import hashlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

from maggy.context.task import is_users_own, names_in


def sources(*roots: Any) -> dict[str, str]:
    """The source of each function, class or object, and of whatever of the user's own code and constants they use.

    By name: a function, class or module has its source (or a hash of its code, where there is no source), a global
    that is a number, text, bool or None has its value.
    """
    found: dict[str, str] = {}
    waiting = [_code_of(root) for root in roots]
    while waiting:
        item = waiting.pop()
        name = _name(item)
        if name in found or not _is_own(item):
            continue
        found[name] = _source(item)
        if isinstance(item, FunctionType):
            for used, value in _globals_of(item):
                if value is None or isinstance(value, str | int | float | bool):
                    found[f"{item.__module__}.{used}"] = repr(value)
                elif isinstance(value, FunctionType | type | ModuleType):
                    waiting.append(value)
    return found


def _code_of(root: Any) -> Any:
    """What was written down: of a partial its function, of a method the function, of an object its class."""
    while isinstance(root, partial):
        root = root.func
    root = inspect.unwrap(getattr(root, "__func__", root))
    return root if isinstance(root, FunctionType | type | ModuleType) else type(root)


def _name(item: Any) -> str:
    if isinstance(item, ModuleType):
        return item.__name__
    return f"{item.__module__}.{item.__qualname__}"


def _is_own(item: Any) -> bool:
    name = item.__name__ if isinstance(item, ModuleType) else item.__module__
    module = sys.modules.get(name)
    return name in ("__main__", "__mp_main__") or module is None or is_users_own(name, module)


def _globals_of(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name in sorted(set(names_in(function.__code__))):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _source(item: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(item))
    except (OSError, TypeError):  # typed at a prompt, or made by exec
        digest = hashlib.sha256()
        members = [item] if isinstance(item, FunctionType) else vars(item).values()
        for member in members:
            if isinstance(member, FunctionType):
                _digest(member.__code__, digest)
        return f"(no source; hash of its code: {digest.hexdigest()[:16]})"


def _digest(code: CodeType, digest: hashlib._Hash) -> None:
    digest.update(repr((code.co_code, code.co_names)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _digest(constant, digest)
        else:
            digest.update(repr(constant).encode())
