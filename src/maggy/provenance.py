"""What experiment.json says: enough to know what was run, and to run it again."""

from __future__ import annotations

import os
import platform
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib.metadata import version
from numbers import Integral
from typing import Any

from maggy.config import LagomConfig
from maggy.searchspace import Searchspace


def describe(
    config: LagomConfig, *, function: Callable[..., Any], engine: str, seats: int, num_trials: int, seed: int
) -> dict[str, Any]:
    """The facts about an experiment as JSON values; objects are named by their class."""
    return {
        "id": uuid.uuid4().hex,
        "kind": type(config).__name__,
        "config": {field.name: _plain(getattr(config, field.name)) for field in fields(config)},
        "function": f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '?')}",
        "engine": engine,
        "seats": seats,
        "num_trials": num_trials,
        "seed": seed,
        "started": time.time(),
        "versions": {"maggy": version("maggy"), "python": platform.python_version()},
        "git_commit": _git_commit(),
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Searchspace):
        return _plain(value.to_dict())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _git_commit() -> str | None:
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
