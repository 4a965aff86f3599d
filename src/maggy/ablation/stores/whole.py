"""Stores that give a training dataset only as a whole."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from maggy.ablation.stores.base import FeatureStore, check_columns, dataset_text

if TYPE_CHECKING:
    import pandas as pd


class WholeStore(FeatureStore):
    """A worker fetches a training dataset once and keeps it; each trial gets a copy of the columns that it is to have.

    A feature that is left out is not left out of the query: what is joined would then decide which rows come, and in
    which order, and trials could not be compared.
    """

    def read(self, name: str, version: int | None, columns: Sequence[str]) -> pd.DataFrame:
        if (name, version) not in self._fetched:
            self._fetched[name, version] = self.fetch(name, version)
        frame = self._fetched[name, version]
        check_columns(columns, list(frame.columns), dataset_text(name, version))
        return frame[list(columns)].copy()

    @abstractmethod
    def fetch(self, name: str, version: int | None) -> pd.DataFrame:
        """A training dataset with all its columns. Raises AblationError if there is no such dataset."""

    @cached_property
    def _fetched(self) -> dict[tuple[str, int | None], pd.DataFrame]:
        return {}
