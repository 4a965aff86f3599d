"""Training datasets as files in a folder: the provider that needs no feature store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from maggy.ablation.stores.base import FeatureStore, absolute, check_columns, dataset_text, known_text, require
from maggy.errors import AblationError, ConfigError

_FORMATS = {".parquet": "parquet", ".csv": "csv"}


@dataclass(frozen=True)
class ParquetStore(FeatureStore):
    """Parquet or CSV files below a folder. The training function gets a `pyarrow.dataset.Dataset`, which reads lazily.

    root  a path or any URL that fsspec knows, seen by driver and workers; a relative path is taken from where the
          driver runs

    A dataset is a file, or a folder of files of one format. Version 3 of "titanic" is the folder `titanic_3` or
    `titanic/3`, or the file `titanic_3.parquet` or `titanic_3.csv`; a "titanic" without a version is the folder
    `titanic`, or the file `titanic.parquet` or `titanic.csv`.

    Only the columns that are asked for are in the schema of the dataset, and only these are read. Its fragments, should
    a training function go through them one by one, still know the others.
    """

    root: str | os.PathLike[str] = "."

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", absolute(self.root))

    def features(self, name: str, version: int | None = None) -> list[str]:
        return list(self._open(name, version).schema.names)

    def read(self, name: str, version: int | None, columns: Sequence[str]) -> Any:
        import pyarrow

        dataset = self._open(name, version)
        check_columns(columns, dataset.schema.names, dataset_text(name, version))
        fields = [dataset.schema.field(column) for column in columns]
        return dataset.replace_schema(pyarrow.schema(fields, metadata=dataset.schema.metadata))

    def _open(self, name: str, version: int | None) -> Any:
        require("pyarrow", "ParquetStore", "pyarrow")
        import fsspec
        from fsspec.implementations.local import LocalFileSystem
        from pyarrow.dataset import dataset
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        try:
            fs, root = fsspec.core.url_to_fs(self.root)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"the root {self.root!r} of a ParquetStore cannot be used: {error}") from error
        path = self._find(fs, root.rstrip("/"), name, version)
        is_file = fs.isfile(path)
        return dataset(
            path,
            format=_format([path] if is_file else _files_in(fs, path), path),
            filesystem=None if isinstance(fs, LocalFileSystem) else PyFileSystem(FSSpecHandler(fs)),
            partitioning=None if is_file else "hive",  # of a file, the folders above it would count
        )

    def _find(self, fs: Any, root: str, name: str, version: int | None) -> str:
        stem = name if version is None else f"{name}_{version}"
        places = [stem, *(stem + ending for ending in _FORMATS)]
        if version is not None:
            places.append(f"{name}/{version}")
        found = [place for place in places if fs.exists(f"{root}/{place}")]
        what = dataset_text(name, version)
        if not found:
            looked = f"looked for {', '.join(places)} in {self.root}"
            raise AblationError(f"no {what}: {looked}. {known_text(stem, _entries(fs, root, name))}")
        if len(found) > 1:
            raise AblationError(f"{what} is there more than once: {', '.join(found)} in {self.root}. Keep one of them")
        path = f"{root}/{found[0]}"
        folders = [entry for entry in _names_in(fs, path) if entry.isdecimal() and fs.isdir(f"{path}/{entry}")]
        if version is None and folders:
            raise AblationError(f"{what} has versions in {self.root}: {', '.join(folders)}. Name one of them")
        return path


def _names_in(fs: Any, folder: str) -> list[str]:
    """What lies directly in a folder; nothing where there is no such folder, or it is a file."""
    if not fs.isdir(folder):
        return []
    return sorted(PurePosixPath(entry).name for entry in fs.ls(folder, detail=False))


def _entries(fs: Any, root: str, name: str) -> list[str]:
    """What could have been meant: what lies in the root, and the versions of a folder of that name."""
    return [*(f"{name}/{entry}" for entry in _names_in(fs, f"{root}/{name}")), *_names_in(fs, root)]


def _files_in(fs: Any, folder: str) -> list[str]:
    """Its data files: names that start with a dot or an underscore, like Spark's `_SUCCESS`, are not."""
    inside = [str(PurePosixPath(file).relative_to(folder)) for file in fs.find(folder)]
    return [file for file in inside if not any(part.startswith((".", "_")) for part in file.split("/"))]


def _format(files: Sequence[str], path: str) -> str:
    endings = sorted({PurePosixPath(file).suffix for file in files})
    if len(endings) != 1 or endings[0] not in _FORMATS:
        held = f"files that end with {', '.join(map(repr, endings))}" if endings else "no files"
        raise AblationError(f"{path} has to be a Parquet or CSV file, or a folder of either; it has {held}")
    return _FORMATS[endings[0]]
