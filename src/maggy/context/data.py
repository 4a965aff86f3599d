"""Data of a config as a handle that is resolved where the training runs, so that no rows pass through the driver."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from maggy.errors import ConfigError


@dataclass(frozen=True)
class ParquetFolder:
    """A table in a folder of Parquet files; the training function gets a `pyarrow.dataset.Dataset`."""

    url: str

    def open(self) -> Any:
        import pyarrow.dataset
        from pyarrow import fs

        filesystem, path = fs.FileSystem.from_uri(self.url) if "://" in self.url else (None, self.url)
        return pyarrow.dataset.dataset(path, format="parquet", filesystem=filesystem)


def is_spark_table(value: object) -> bool:
    """Whether this is a Spark DataFrame, told without importing Spark."""
    kind = type(value)
    return kind.__module__.startswith("pyspark.sql") and kind.__name__ == "DataFrame"


def materialise(name: str, value: Any, folder_url: str) -> Any:
    """A handle for a Spark DataFrame, written once by the executors; any other value as it is.

    Call it before workers take the slots: Spark could not run the job afterwards. What an experiment that is resumed
    has written stands; what it has not written to the end is written again.

    Raises ConfigError if Spark cannot write it, or nobody could read it.
    """
    if isinstance(value, list | tuple):
        return [materialise(f"{name}-{i}", item, folder_url) for i, item in enumerate(value)]
    if not is_spark_table(value):
        return value
    if find_spec("pyarrow") is None:
        raise ConfigError(
            f"handing over the Spark DataFrame {name!r} needs pyarrow: pip install pyarrow, here and on workers"
        )
    url = f"{folder_url}/data/{name}"
    try:
        # Spark writes the mark last.
        if not _exists(f"{url}/_SUCCESS"):
            value.write.mode("overwrite").parquet(url if "://" in url else f"file://{url}")
    except Exception as error:
        raise ConfigError(f"the Spark DataFrame {name!r} cannot be written to {url}: {error}") from error
    return ParquetFolder(url)


def _exists(url: str) -> bool:
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(url)
    return bool(filesystem.exists(path))


def lies_in(folder_url: str, value: Any) -> bool:
    """Whether a value of the config is data in this folder, or holds such data."""
    if isinstance(value, list):
        return any(lies_in(folder_url, item) for item in value)
    return isinstance(value, ParquetFolder) and value.url.startswith(f"{folder_url}/")


def resolve(value: Any) -> Any:
    """What the training function gets for a value of the config."""
    if isinstance(value, list):
        return [resolve(item) for item in value]
    return value.open() if isinstance(value, ParquetFolder) else value
