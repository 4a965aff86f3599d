"""Where an ablation study's training datasets come from."""

from __future__ import annotations

from maggy.ablation.stores.base import FeatureStore, check_columns
from maggy.ablation.stores.feast import FeastStore
from maggy.ablation.stores.hopsworks import HopsworksStore
from maggy.ablation.stores.parquet import ParquetStore

__all__ = ["FeastStore", "FeatureStore", "HopsworksStore", "ParquetStore", "check_columns"]
