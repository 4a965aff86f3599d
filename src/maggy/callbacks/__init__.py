"""Callbacks that report a library's metric to the driver, and end its training when the trial is to stop.

Each class is loaded when it is first used, because a library's own base class has to be there by then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maggy.callbacks.huggingface import HuggingFaceReporter
    from maggy.callbacks.keras import KerasBatchEnd, KerasEpochEnd
    from maggy.callbacks.lightgbm import LightGBMReporter
    from maggy.callbacks.lightning import LightningReporter
    from maggy.callbacks.sklearn import GradientBoostingReporter, PartialFitReporter
    from maggy.callbacks.xgboost import XGBoostReporter

__all__ = [
    "GradientBoostingReporter",
    "HuggingFaceReporter",
    "KerasBatchEnd",
    "KerasEpochEnd",
    "LightGBMReporter",
    "LightningReporter",
    "PartialFitReporter",
    "XGBoostReporter",
]

_HOMES = {
    "GradientBoostingReporter": "maggy.callbacks.sklearn",
    "HuggingFaceReporter": "maggy.callbacks.huggingface",
    "KerasBatchEnd": "maggy.callbacks.keras",
    "KerasEpochEnd": "maggy.callbacks.keras",
    "LightGBMReporter": "maggy.callbacks.lightgbm",
    "LightningReporter": "maggy.callbacks.lightning",
    "PartialFitReporter": "maggy.callbacks.sklearn",
    "XGBoostReporter": "maggy.callbacks.xgboost",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'maggy.callbacks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
