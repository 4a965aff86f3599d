"""Pandas, as Parquet where that comes back equal."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from maggy.context.data.form import Output, open_at, path_at
from maggy.context.data.kinds import is_exactly

_FRAME, _SERIES, _NAMELESS = "frame.parquet", "series.parquet", "nameless.parquet"


class Frame:
    """A pandas DataFrame."""

    def takes(self, value: Any) -> bool:
        return is_exactly(value, "pandas", "DataFrame") and find_spec("pyarrow") is not None

    def write(self, value: Any, output: Output) -> bool:
        return _write(value, output, _FRAME)

    def read(self, url: str) -> Any:
        return _read(url, _FRAME)


class Series:
    """A pandas Series, as a table of one column."""

    def takes(self, value: Any) -> bool:
        known = is_exactly(value, "pandas", "Series") and find_spec("pyarrow") is not None
        return known and not value.attrs and (value.name is None or isinstance(value.name, str))

    def write(self, value: Any, output: Output) -> bool:
        if value.name is None:
            return _write(value.to_frame("values"), output, _NAMELESS)
        return _write(value.to_frame(), output, _SERIES)

    def read(self, url: str) -> Any:
        try:
            return _read(url, _SERIES).iloc[:, 0]
        except FileNotFoundError:
            return _read(url, _NAMELESS).iloc[:, 0].rename(None)


def _read(url: str, name: str) -> Any:
    import pyarrow.parquet

    path = path_at(url, name)
    if path is not None:
        return pyarrow.parquet.ParquetFile(path).read().to_pandas()
    with open_at(url, name) as file:
        return pyarrow.parquet.ParquetFile(file).read().to_pandas()


def _write(frame: Any, output: Output, name: str) -> bool:
    """Write a frame as Parquet; False if it would come back as another one.

    Columns of plain numbers and times need a look at their first row alone. Others are read back and compared: Parquet
    changes mixed objects, nested values, the order of some categories, the frequency of an index.
    """
    import pyarrow as pa
    import pyarrow.parquet

    def packed(part: Any) -> Any:
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(pa.Table.from_pandas(part), sink)
        return sink.getvalue()

    simple = _is_simple(frame)
    try:
        part = frame.head(1) if simple else frame
        data = packed(part)
        if not _is_same(part, pyarrow.parquet.ParquetFile(pa.BufferReader(data)).read().to_pandas()):
            return False
        table = pa.Table.from_pandas(frame) if simple else None
    except Exception:  # what it cannot hold it refuses in many ways
        return False
    with output.create(name) as file:
        if table is None:
            file.write(data)
        else:
            pyarrow.parquet.write_table(table, file)
    return True


def _is_simple(frame: Any) -> bool:
    """Whether each value of a frame comes back for certain, once its first row has."""
    import pandas as pd

    index = frame.index
    return isinstance(index, pd.RangeIndex) and all(
        type(dtype).__module__.startswith("numpy") and (dtype.kind in "biuM" or dtype in ("float32", "float64"))
        for dtype in frame.dtypes
    )


def _is_same(frame: Any, other: Any) -> bool:
    return (
        frame.attrs == other.attrs
        and _is_same_index(frame.columns, other.columns)
        and _is_same_index(frame.index, other.index)
        and all(_is_same_column(frame.iloc[:, at], other.iloc[:, at]) for at in range(frame.shape[1]))
    )


def _is_same_index(index: Any, other: Any) -> bool:
    if not (index.identical(other) and index.nlevels == other.nlevels):
        return False
    levels = [(index.get_level_values(at), other.get_level_values(at)) for at in range(index.nlevels)]
    return all(_is_same_column(level, twin) for level, twin in levels)


def _is_same_column(column: Any, other: Any) -> bool:
    """Whether two series, or two indices of one level, are equal in values, types and missing values."""
    if column.dtype != other.dtype:
        return False
    if column.dtype == object:
        pairs = zip(column, other, strict=True)
        return all(mine is its or (type(mine) is str is type(its) and mine == its) for mine, its in pairs)
    if hasattr(column.dtype, "categories"):
        return _is_same_index(column.dtype.categories, other.dtype.categories) and column.equals(other)
    return bool(column.equals(other))
