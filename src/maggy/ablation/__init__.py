"""What to leave out: ablation studies.

Every name is loaded when it is first used, so that a worker loads only what its trials need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maggy.ablation.abstract import AbstractAblator
    from maggy.ablation.designs import LOCO, Ablator, AddOneIn, Cumulative, LeaveTwoOut
    from maggy.ablation.effects import Effect, Effects
    from maggy.ablation.stores import FeastStore, FeatureStore, HopsworksStore, ParquetStore
    from maggy.ablation.study import AblationStudy

_HOMES = {
    "AblationStudy": "study",
    "Ablator": "designs",
    "AbstractAblator": "abstract",
    "AddOneIn": "designs",
    "Cumulative": "designs",
    "Effect": "effects",
    "Effects": "effects",
    "FeastStore": "stores",
    "FeatureStore": "stores",
    "HopsworksStore": "stores",
    "LOCO": "designs",
    "LeaveTwoOut": "designs",
    "ParquetStore": "stores",
}

__all__ = [
    "LOCO",
    "AblationStudy",
    "Ablator",
    "AbstractAblator",
    "AddOneIn",
    "Cumulative",
    "Effect",
    "Effects",
    "FeastStore",
    "FeatureStore",
    "HopsworksStore",
    "LeaveTwoOut",
    "ParquetStore",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"maggy.ablation.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'maggy.ablation' has no attribute {name!r}")
