"""Arrow tables, and data sets that read them lazily."""

from __future__ import annotations

import io
import pickle
import socket
from pathlib import Path
from typing import Any

import cloudpickle

from maggy.context.data.form import Output, open_at, path_at
from maggy.context.data.kinds import is_a, is_exactly
from maggy.errors import ConfigError, MaggyError

_TABLE, _DATASET, _ROWS = "table.arrows", "dataset.pickle", "rows.parquet"


class Table:
    """An Arrow table, as a stream of record batches: the one format that holds every Arrow type and all metadata."""

    def takes(self, value: Any) -> bool:
        return is_exactly(value, "pyarrow", "Table")

    def write(self, value: Any, output: Output) -> bool:
        import pyarrow as pa

        with output.create(_TABLE) as file, pa.ipc.new_stream(file, value.schema) as stream:
            stream.write_table(value)
        return True

    def read(self, url: str) -> Any:
        import pyarrow as pa

        path = path_at(url, _TABLE)
        if path is not None:
            return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()  # tables cannot be changed
        with open_at(url, _TABLE) as file:
            return pa.ipc.open_stream(file.read()).read_all()


class Dataset:
    """An Arrow dataset over files, which stay where they are: the names of these files, and how to read them."""

    def takes(self, value: Any) -> bool:
        return is_a(value, "pyarrow", "Dataset")

    def write(self, value: Any, output: Output) -> bool:
        try:
            packed = _packed(value)
        except MaggyError:
            raise
        except (TypeError, ValueError):  # it holds its rows, or a filter, which Arrow does not pickle
            return False
        with output.create(_DATASET) as file:
            file.write(packed)
        return True

    def read(self, url: str) -> Any:
        with open_at(url, _DATASET) as file:
            return pickle.load(file)


class Rows:
    """An Arrow dataset that holds its rows, or a filter: its rows as a Parquet file."""

    def takes(self, value: Any) -> bool:
        return is_a(value, "pyarrow", "Dataset")

    def write(self, value: Any, output: Output) -> bool:
        from pyarrow.parquet import ParquetWriter

        with output.create(_ROWS) as file, ParquetWriter(file, value.schema) as parquet:
            for batch in value.to_batches():
                parquet.write_batch(batch)
        return True

    def read(self, url: str) -> Any:
        return open_dataset(f"{url}/{_ROWS}", "parquet")


def open_dataset(url: str, kind: str) -> Any:
    """A `pyarrow.dataset.Dataset` of a file or a folder of files, read lazily.

    kind  "parquet" or "csv"

    Raises FileNotFoundError if this machine does not see it, and errors of Arrow if it cannot be read.
    """
    import fsspec
    import pyarrow.dataset
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    fs, path = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()  # others write here too
    if not fs.exists(path):
        raise FileNotFoundError(
            f"{socket.gethostname()} does not see {url}: data that are given as a path have to lie where every worker "
            f"reaches them, e.g. on a shared mount or under a URL"
        )
    return pyarrow.dataset.dataset(
        path,
        format=kind,
        filesystem=PyFileSystem(FSSpecHandler(fs)) if "://" in url else None,  # Arrow's own maps local files
        partitioning="hive" if fs.isdir(path) else None,
    )


def _packed(dataset: Any) -> bytes:
    """The pickled dataset, which names the same files wherever it is loaded, and holds no keys.

    A path that is relative is one of this process. A file system of fsspec is opened with the settings of whoever
    loads it.

    Raises ConfigError for another file system that is not local: its pickle would hold its keys.
    """
    import fsspec
    from pyarrow import fs
    from pyarrow.dataset import Fragment

    safe = (fs.LocalFileSystem, fs.SubTreeFileSystem, fs.PyFileSystem)

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, Fragment) and isinstance(getattr(value, "filesystem", None), fs.LocalFileSystem):
                make, (path, *others) = value.__reduce__()
                return make, (str(Path(path).absolute()), *others)
            if isinstance(value, fsspec.AbstractFileSystem):
                protocol = value.protocol if isinstance(value.protocol, str) else value.protocol[0]
                return fsspec.filesystem, (protocol,)
            if isinstance(value, fs.FileSystem) and not isinstance(value, safe):
                raise ConfigError(
                    f"a pyarrow Dataset on a file system of kind {value.type_name!r} carries its keys, which are to be "
                    f"in no file. Give its URL instead, e.g. train_set='s3://bucket/table', or open it in a factory"
                )
            return super().reducer_override(value)

    packed = io.BytesIO()
    Pickler(packed, protocol=5).dump(dataset)
    return packed.getvalue()
