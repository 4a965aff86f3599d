"""Training datasets from Feast."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from maggy.ablation.stores.base import absolute, dataset_text, known_text, require
from maggy.ablation.stores.whole import WholeStore
from maggy.errors import AblationError

if TYPE_CHECKING:
    import pandas as pd

_TIMESTAMP = "event_timestamp"  # of entity rows, as Feast calls it


@dataclass(frozen=True)
class FeastStore(WholeStore):
    """The features of a Feast feature service, or of one feature view, as they were when each label was observed.

    repo_path  folder with the `feature_store.yaml`, seen by driver and workers; a relative path is taken from where the
               driver runs. What is secret in this file is best written as `${NAME}`, which Feast takes from the
               environment
    entity_df  the rows: a DataFrame, which travels with the study, or a path or URL of a Parquet file, which each
               worker reads. It has the join keys, `event_timestamp`, the label, and whatever else is to be in the data

    The dataset "titanic" is the feature service of that name or, where there is none, the feature view; its version 3
    is `titanic_v3`. Its columns are those of `entity_df`, without join keys and timestamp, and the features under their
    short names. The training function gets a pandas DataFrame.
    """

    repo_path: str | os.PathLike[str] = "."
    _: KW_ONLY
    entity_df: Any = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "repo_path", absolute(self.repo_path))
        if isinstance(self.entity_df, str | os.PathLike):
            object.__setattr__(self, "entity_df", absolute(self.entity_df))

    def features(self, name: str, version: int | None = None) -> list[str]:
        _, projections = self._source(name, version)
        header = self._entities(rows=False)
        keys = {entity.join_key for entity in self._store.list_entities()}
        keys.update(key for projection in projections for key in projection.join_key_map.values())
        if _TIMESTAMP in header.columns:
            keys.add(_TIMESTAMP)
        else:  # Feast takes the only one that there is
            keys.update(header.select_dtypes(["datetime", "datetimetz"]).columns)
        columns = [column for column in header.columns if column not in keys]
        columns += [feature.name for projection in projections for feature in projection.features]
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            raise AblationError(
                f"{dataset_text(name, version)} has more than one column {', '.join(map(repr, twice))}, in its feature "
                f"views or in entity_df: rename one, or leave it out of the feature service"
            )
        return columns

    def fetch(self, name: str, version: int | None) -> pd.DataFrame:
        wanted, _ = self._source(name, version)
        job = self._store.get_historical_features(entity_df=self._entities(rows=True), features=wanted)
        frame: pd.DataFrame = job.to_df()[self.features(name, version)]
        return frame

    @cached_property
    def _store(self) -> Any:
        require("feast", "FeastStore", "feast")
        import feast

        return feast.FeatureStore(repo_path=str(self.repo_path))

    def _source(self, name: str, version: int | None) -> tuple[Any, list[Any]]:
        """What Feast is asked for, and the parts of feature views that this is."""
        wanted = name if version is None else f"{name}_v{version}"
        services = {service.name: service for service in self._store.list_feature_services()}
        if wanted in services:
            return services[wanted], services[wanted].feature_view_projections
        views = {view.name: view for view in self._store.list_all_feature_views()}
        if wanted in views:
            projection = views[wanted].projection
            return [f"{wanted}:{feature.name}" for feature in projection.features], [projection]
        raise AblationError(
            f"no {dataset_text(name, version)}: Feast in {self.repo_path} has neither a feature service nor a feature "
            f"view {wanted!r}. {known_text(wanted, [*services, *views])}"
        )

    def _entities(self, *, rows: bool) -> pd.DataFrame:
        """The entity rows, or only their columns."""
        if not isinstance(self.entity_df, str):
            frame: pd.DataFrame = self.entity_df if rows else self.entity_df.head(0)
            return frame
        import fsspec
        from pyarrow import parquet

        with fsspec.open(self.entity_df, "rb") as file:
            table = parquet.read_table(file) if rows else parquet.read_schema(file).empty_table()
        return table.to_pandas()
