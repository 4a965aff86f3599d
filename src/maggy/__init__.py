"""Maggy: write the training function once, run it everywhere.

Every public name is loaded when it is first used, so that `import maggy` is quick and loads no framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maggy import experiment, tensorboard
    from maggy.callbacks import KerasBatchEnd, KerasEpochEnd
    from maggy.context.checkpoint import load_checkpoint
    from maggy.context.distributed import Context
    from maggy.experiment import lagom
    from maggy.handle import Run
    from maggy.repeating import repeat
    from maggy.result import Result
    from maggy.searchspace import Searchspace
    from maggy.simulation import simulate
    from maggy.trial import Trial
    from maggy.worker.reporter import Reporter

__all__ = [
    "Context",
    "KerasBatchEnd",
    "KerasEpochEnd",
    "Reporter",
    "Result",
    "Run",
    "Searchspace",
    "Trial",
    "experiment",
    "lagom",
    "load_checkpoint",
    "repeat",
    "simulate",
    "tensorboard",
]

_HOMES = {
    "Context": "maggy.context.distributed",
    "KerasBatchEnd": "maggy.callbacks.keras",
    "KerasEpochEnd": "maggy.callbacks.keras",
    "Reporter": "maggy.worker.reporter",
    "Result": "maggy.result",
    "Run": "maggy.handle",
    "Searchspace": "maggy.searchspace",
    "Trial": "maggy.trial",
    "lagom": "maggy.experiment",
    "load_checkpoint": "maggy.context.checkpoint",
    "repeat": "maggy.repeating",
    "simulate": "maggy.simulation",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # slow to import, and seldom asked for

        return version("maggy")
    if name in ("experiment", "tensorboard"):
        return import_module(f"maggy.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'maggy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
