"""The user's own code as text, so that a change of it can be noticed and shown."""

from __future__ import annotations

import hashlib
import inspect
import sys
import textwrap
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from maggy.context.task import is_users_own, names_in

_ITEM_LIMIT = 10_000  # a longer container is data
_TEXT_LIMIT = 200  # characters; a longer value is shown by its hash


def sources(*roots: Any) -> dict[str, str]:
    """What functions, classes or objects are made of, by name, as far as it is the user's own.

    A function, class or module has its source, or a hash of its code where there is no source. Values have their
    `repr`: globals, closure variables, defaults, arguments of a partial and attributes of an object, where they are
    numbers, texts, bools, None or containers of these. What is used by something that is listed is listed too. Other
    values, e.g. arrays, are not looked at.
    """
    found: dict[str, str] = {}
    seen: set[int] = set()
    waiting: deque[tuple[str, Any]] = deque((_name(root), root) for root in roots)
    while waiting:
        name, item = waiting.popleft()
        if (value := _plain(item)) is not None:
            found[name] = value if len(value) <= _TEXT_LIMIT else f"(hash of {len(value)} characters: {_hash(value)})"
        elif id(item) not in seen:
            seen.add(id(item))
            if isinstance(item, FunctionType | type | ModuleType):
                if not _is_own(item):
                    continue
                found[_name(item)] = _source(item)
            waiting.extend(_parts(name, item))
    return found


def _parts(name: str, item: Any) -> Iterator[tuple[str, Any]]:
    """What an object uses, by name."""
    if isinstance(item, partial):
        yield _name(item.func), item.func
        yield from _numbered(f"{name} argument", item.args)
        yield from _named(f"{name} argument", item.keywords)
    elif isinstance(item, MethodType):
        yield _name(item.__func__), item.__func__
        yield _name(item.__self__), item.__self__
    elif isinstance(item, FunctionType):
        if (wrapped := inspect.unwrap(item)) is not item:
            yield _name(wrapped), wrapped
        used = sorted(set(names_in(item.__code__)))
        yield from _named(item.__module__, {key: item.__globals__[key] for key in used if key in item.__globals__})
        yield from _numbered(f"{name} default", item.__defaults__ or ())
        yield from _named(f"{name} default", item.__kwdefaults__ or {})
        cells = zip(item.__code__.co_freevars, item.__closure__ or (), strict=True)
        yield from _named(f"{name} closure", {key: cell.cell_contents for key, cell in cells if _is_filled(cell)})
    elif isinstance(item, type):
        yield from ((_name(base), base) for base in item.__bases__)
        for member in vars(item).values():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(function, FunctionType):
                yield _name(function), function
    elif not isinstance(item, ModuleType) and _is_own(type(item)):
        yield _name(type(item)), type(item)
        yield from _named(name, getattr(item, "__dict__", {}))


def _named(owner: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{owner}.{key}", value) for key, value in values.items())


def _numbered(owner: str, values: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    return ((f"{owner} {number}", value) for number, value in enumerate(values))


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _plain(value: Any) -> str | None:
    """A value as text that is the same in every process; None for one that has no such text."""
    if value is None or type(value) in (bool, int, float, complex, str, bytes):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset | dict) and len(value) > _ITEM_LIMIT:
        return None
    if type(value) in (list, tuple, set, frozenset):
        items = [_plain(item) for item in value]
        if any(item is None for item in items):
            return None
        texts = [item for item in items if item is not None]
        return f"{type(value).__name__}({', '.join(texts if isinstance(value, list | tuple) else sorted(texts))})"
    if type(value) is dict:
        pairs = [(_plain(key), _plain(item)) for key, item in value.items()]
        if any(None in pair for pair in pairs):
            return None
        return f"{{{', '.join(f'{key}: {item}' for key, item in pairs)}}}"
    return None


def _name(item: Any) -> str:
    if isinstance(item, ModuleType):
        return item.__name__
    if isinstance(item, partial):
        return f"partial of {_name(item.func)}"
    item = getattr(item, "__func__", item)
    if not isinstance(item, FunctionType | type):
        item = type(item)
    return f"{item.__module__}.{item.__qualname__}"


def _is_own(item: Any) -> bool:
    name = item.__name__ if isinstance(item, ModuleType) else item.__module__
    module = sys.modules.get(name)
    return name in ("__main__", "__mp_main__") or module is None or is_users_own(name, module)


def _source(item: Any) -> str:
    """The source; of a lambda, whose line says other things too, and of what was typed at a prompt, a hash."""
    if getattr(item, "__name__", "") != "<lambda>":
        try:
            return textwrap.dedent(inspect.getsource(item))
        except (OSError, TypeError):
            pass
    members = [item] if isinstance(item, FunctionType) else vars(item).values()
    code = "\n".join(_code(member.__code__) for member in members if isinstance(member, FunctionType))
    return f"(no source; hash of its code: {_hash(code)})"


def _code(code: CodeType) -> str:
    constants = [_code(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    return repr((code.co_code, code.co_names, constants))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
