"""Training datasets from the feature store of Hopsworks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maggy.ablation.stores.base import dataset_text, require
from maggy.ablation.stores.whole import WholeStore
from maggy.errors import AblationError, ConfigError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HopsworksStore(WholeStore):
    """Training data of Hopsworks' feature views.

    Checked against the client's calls (hopsworks 5.2) and the requests that it makes, not against a Hopsworks server.

    project                   None: from the environment variable HOPSWORKS_PROJECT
    host, port                None and 443: from HOPSWORKS_HOST and HOPSWORKS_PORT, else Hopsworks' own service
    api_key_file              a file on the driver and on each worker, "~" allowed; None: HOPSWORKS_API_KEY has the key
    training_dataset_version  which of the training datasets that were made from a feature view
    connect                   stands in for `hopsworks.login`: takes its keywords and gives a project

    The server's certificate has to be trusted; the client's own HOPSWORKS_TRUST_STORE_PATH names one that is, and
    HOPSWORKS_HOSTNAME_VERIFICATION=false turns the check off.

    The dataset "titanic" is the feature view of that name; its version is that of the view, None being 1. The training
    dataset must have been made without splits. The training function gets a pandas DataFrame with features and label.
    """

    project: str | None = None
    host: str | None = None
    port: int = 443
    api_key_file: str | os.PathLike[str] | None = None
    training_dataset_version: int = 1
    connect: Callable[..., Any] | None = field(default=None, repr=False)

    def features(self, name: str, version: int | None = None) -> list[str]:
        schema = self._view(name, version).get_training_dataset_schema(
            training_dataset_version=self.training_dataset_version
        )
        helpers = ("inference_helper_column", "training_helper_column")
        return [feature.name for feature in schema if not any(getattr(feature, helper) for helper in helpers)]

    def fetch(self, name: str, version: int | None) -> pd.DataFrame:
        import pandas

        features, labels = self._view(name, version).get_training_data(
            training_dataset_version=self.training_dataset_version, dataframe_type="pandas"
        )
        return features if labels is None else pandas.concat([features, labels], axis="columns")

    @cached_property
    def _store(self) -> Any:
        settings: dict[str, Any] = {"host": self.host, "port": self.port, "project": self.project}
        if self.api_key_file is not None:
            settings["api_key_file"] = str(Path(self.api_key_file).expanduser())
        # Left to itself the client sends the key to whoever answers, and takes Spark wherever that is installed.
        project = (self.connect or _login)(**settings, engine="python", hostname_verification=True)
        return project.get_feature_store()

    def _view(self, name: str, version: int | None) -> Any:
        """The feature view, which is known to have the training dataset."""
        view = self._store.get_feature_view(name, version=1 if version is None else version)
        if view is None:
            versions = [view.version for view in self._store.get_feature_views(name)]
            there = f"Of {name!r} there are versions {versions}." if versions else f"There is no {name!r} at all."
            raise AblationError(f"no {dataset_text(name, version)}: no such feature view in Hopsworks. {there}")
        made = {dataset.version: dataset for dataset in view.get_training_datasets()}
        which = f"training_dataset_version={self.training_dataset_version} of feature view {view.name!r} {view.version}"
        if self.training_dataset_version not in made:
            raise AblationError(f"{which} has not been made. There are versions {sorted(made)}.")
        if made[self.training_dataset_version].splits:
            raise AblationError(f"{which} is split: make one with create_training_data, and split in the function")
        return view


def _login(**settings: Any) -> Any:
    """Log in, without the questions that the client asks on a terminal: nobody answers on a worker."""
    require("hopsworks", "HopsworksStore", "'hopsworks[python]'")
    import hopsworks

    if "REST_ENDPOINT" not in os.environ:  # which a process inside Hopsworks has, and needs no more
        if settings["project"] is None and "HOPSWORKS_PROJECT" not in os.environ:
            raise ConfigError("HopsworksStore needs project=, or HOPSWORKS_PROJECT in the environment of each worker")
        if "api_key_file" not in settings and "HOPSWORKS_API_KEY" not in os.environ:
            raise ConfigError(
                "HopsworksStore needs an API key: api_key_file= names a file that driver and workers have, or "
                "HOPSWORKS_API_KEY has the key in the environment of each"
            )
    return hopsworks.login(**settings)
