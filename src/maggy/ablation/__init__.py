"""What to leave out: ablation studies."""

from __future__ import annotations

from maggy.ablation.stores import FeastStore, FeatureStore, HopsworksStore, ParquetStore

__all__ = ["FeastStore", "FeatureStore", "HopsworksStore", "ParquetStore"]
