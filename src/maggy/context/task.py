"""What every worker gets once: the training function with everything about it that no trial changes."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import cloudpickle

from maggy.context.binding import bind
from maggy.context.data import resolve
from maggy.context.metric import read_return
from maggy.errors import FunctionNotPicklableError, FunctionTooLargeError

LIMIT_BYTES = 64 << 20
"""A larger task is refused: every worker would fetch it, and data belongs into files."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A training function and its fixed arguments.

    function          called once for each trial
    optimization_key  where the metric is, if the function returns a dict
    fixed             arguments that are the same in every trial, by name
    hparams           hyperparameters that are the same in every trial
    """

    function: Callable[..., Any]
    optimization_key: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    hparams: Mapping[str, Any] = field(default_factory=dict)

    def run(self, params: Mapping[str, Any], reporter: object) -> tuple[float, dict[str, Any] | None]:
        """Call the function with one configuration; return its metric, and the dict if it returned one.

        Raises whatever the function raises, and the errors of `read_return`.
        """
        arguments = bind(self.function, {**self.hparams, **params}, {**self.fixed, "reporter": reporter})
        return read_return(self.function(**arguments), self.optimization_key)


def pack(task: Task) -> bytes:
    """The pickled task. Modules that lie beside the user's script travel with it, installed ones are expected there.

    Raises FunctionNotPicklableError, which names what cannot travel, or FunctionTooLargeError.
    """
    with _modules_by_value():
        try:
            packed = cloudpickle.dumps(task)
        except Exception as error:  # a __reduce__ may raise anything
            guilty = tuple(name for name, value in _variables(task) if not _picklable(value))
            where = f"its variable{'s' * (len(guilty) > 1)} {', '.join(map(repr, guilty))}" if guilty else "a part of it"
            raise FunctionNotPicklableError(
                f"the training function cannot be sent to a worker: {where} cannot be pickled "
                f"({type(error).__name__}: {error}). Make it inside the function instead, so that every worker makes "
                f"its own",
                guilty,
            ) from error
        if len(packed) > LIMIT_BYTES:
            sizes = sorted(((len(cloudpickle.dumps(value)), name) for name, value in _variables(task)), reverse=True)
            largest = ", ".join(f"{name!r} {size / 1e6:.0f} MB" for size, name in sizes[:3] if size > 1e6)
            raise FunctionTooLargeError(
                f"the training function weighs {len(packed) / 1e6:.0f} MB pickled (largest: {largest}); at most "
                f"{LIMIT_BYTES / 1e6:.0f} MB are sent to each worker. Load data inside the function from a path, or "
                f"pass it as train_set=/dataset= in the config",
                size_bytes=len(packed),
                limit_bytes=LIMIT_BYTES,
            )
    return packed


def unpack(packed: bytes) -> Task:
    """The task, on a worker, from the driver whose key was checked; its data handles are opened here."""
    task = cloudpickle.loads(packed)
    assert isinstance(task, Task)
    return replace(task, fixed={name: resolve(value) for name, value in task.fixed.items()})


def _variables(task: Task) -> Iterator[tuple[str, Any]]:
    """What travels with the function, by name: its globals, closure, defaults and fixed arguments."""
    yield from task.fixed.items()
    yield from task.hparams.items()
    function = inspect.unwrap(task.function)
    if not inspect.isfunction(function):
        yield from getattr(function, "__dict__", {}).items()
        return
    captured = inspect.getclosurevars(function)
    yield from captured.nonlocals.items()
    yield from captured.globals.items()
    yield from (getattr(function, "__kwdefaults__", None) or {}).items()
    names = [name for name, p in inspect.signature(function).parameters.items() if p.default is not p.empty]
    yield from ((name, inspect.signature(function).parameters[name].default) for name in names)


def _picklable(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True


@contextmanager
def _modules_by_value() -> Iterator[None]:
    """Pickle the user's own modules by value: a cluster does not have the files beside a script or notebook."""
    registered = [module for name, module in list(sys.modules.items()) if _is_users_own(name, module)]
    for module in registered:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _is_users_own(name: str, module: ModuleType) -> bool:
    """Whether a module is a Python file of the user's, and not installed."""
    file = getattr(module, "__file__", None) or ""
    if not file.endswith(".py") or getattr(module, "__name__", None) != name:
        return False
    provided = name.partition(".")[0] in _PROVIDED or "site-packages" in file or "dist-packages" in file
    return not provided and not file.startswith(_STANDARD_LIBRARY)


_STANDARD_LIBRARY = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_PROVIDED = frozenset({"__main__", "__mp_main__", "maggy", "pyspark", "py4j"})
"""Modules that are never shipped: cloudpickle ships what it needs of the first two, workers have the others."""
