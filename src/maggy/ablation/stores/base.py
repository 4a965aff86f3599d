"""What every feature store does for an ablation study."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maggy.errors import AblationError, ConfigError, did_you_mean, shown


class FeatureStore(ABC):
    """Where the named and versioned training datasets of an ablation study come from. Subclass it for a store of yours.

    It travels to the workers inside the training task, so an object keeps settings only: where the store is, never a
    key or a password, which a worker reads from its own environment or files. Attributes whose names start with an
    underscore stay behind. Keep a connection in one of these, made when it is first used: a `functools.cached_property`
    is enough.
    """

    @abstractmethod
    def features(self, name: str, version: int | None = None) -> list[str]:
        """The columns of a training dataset, the label among them. Called on the driver before anything starts.

        version  None: the one that the store takes where none is named

        Raises AblationError if there is no such dataset.
        """

    @abstractmethod
    def read(self, name: str, version: int | None, columns: Sequence[str]) -> Any:
        """A training dataset with these columns only, in this order: what the training function gets as `dataset`.

        Called on the worker, once for each trial; what a trial does with its data must not reach the next one. The
        rows and their order are the same whatever the columns are, so that trials can be compared.

        Raises AblationError if there is no such dataset or column.
        """

    def __repr__(self) -> str:
        return type(self).__name__  # without an address, which would change from run to run

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def dataset_text(name: str, version: int | None) -> str:
    """A training dataset as errors call it."""
    return f"training dataset {name!r}" + ("" if version is None else f" version {version}")


def known_text(name: object, known: Iterable[object]) -> str:
    """What there is instead of an unknown name, close matches first."""
    names = [str(item) for item in known]
    if not names:
        return "There is none."
    return f"{did_you_mean(name, names)} There is: {shown(names)}.".lstrip()


def check_columns(columns: Iterable[str], known: Sequence[str], dataset: str) -> None:
    """Raises AblationError for the first of these columns that a dataset does not have."""
    for column in columns:
        if column not in known:
            raise AblationError(f"{dataset} has no column {column!r}. {known_text(column, known)}")


def absolute(place: str | os.PathLike[str]) -> str:
    """A path that means the same in every process of this machine. A URL stays as it is."""
    text = os.fspath(place)
    return text if "://" in text else str(Path(text).absolute())


def require(library: str, store: str, package: str) -> None:
    """Raises ConfigError if a store's library, which comes with this package, is not there."""
    if find_spec(library) is None:
        raise ConfigError(f"{store} needs {library}, on driver and workers: pip install {package}")
