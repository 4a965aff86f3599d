"""Tables of a study, in files that each worker opens where it runs: whole, or the rows of one key at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maggy.context.data.kinds import is_a, is_spark_table
from maggy.errors import ConfigError
from maggy.tune.temp import within

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_FILE = "part-0.parquet"

Key = tuple[Any, ...]
"""The values of the partition keys."""

HOW = ("inner", "left_outer", "full_outer", "cross")
"""How a table is joined to those before it: which keys it lets through; or, with "cross", whole beside each."""


@dataclass
class Table:
    """One table in a file, or in a folder of files.

    path    of Parquet files, seen by all workers
    keys    the columns by which it is cut; none for a table that is read whole
    groups  the number of each key's row group, where there is one file with a row group for each; None: the rows of a
            key are looked for
    """

    path: str
    keys: Sequence[str] = ()
    groups: Mapping[Key, int] | None = None
    _opened: Any = field(default=None, repr=False, compare=False)
    _last: tuple[Key, Any] | None = field(default=None, repr=False, compare=False)

    def rows(self, key: Key) -> pd.DataFrame:
        """The rows of one key, or all; a copy, so that whoever changes it changes nothing for the next."""
        if self._last is None or self._last[0] != key:
            table = self._found(key) if self.groups is None else self._group(self.groups.get(key))
            self._last = key, table.to_pandas()
        frame: pd.DataFrame = self._last[1].copy()
        return frame

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None, "_last": None}

    def _group(self, number: int | None) -> pa.Table:
        """The rows of a key that has a row group of its own; none where the table has not got it."""
        if self._opened is None:
            import pyarrow.parquet as pq
            from fsspec.core import url_to_fs

            filesystem, path = url_to_fs(f"{self.path}/{_FILE}")
            self._opened = pq.ParquetFile(path, filesystem=filesystem)
        if number is None:
            return self._opened.schema_arrow.empty_table()
        return self._opened.read_row_group(number)

    def _found(self, key: Key) -> pa.Table:
        """The rows of a key, wherever they are."""
        import pyarrow.compute as pc

        if self._opened is None:
            import pyarrow.dataset as pads
            from fsspec.core import url_to_fs

            filesystem, path = url_to_fs(self.path)
            self._opened = pads.dataset(path, format="parquet", filesystem=filesystem)
        condition = None
        for name, value in zip(self.keys, key, strict=True):
            column = pc.field(name)
            same = column.is_null() if value is None else column == value
            condition = same if condition is None else condition & same
        return self._opened.to_table(filter=condition)


@dataclass
class Tables:
    """The tables of a study by name, and the keys by which they are cut.

    partition_keys  names of the columns; none where nothing is cut
    keys            values of them, in order, one for each partition; one empty one where nothing is cut
    """

    tables: Mapping[str, Table]
    partition_keys: Sequence[str] = ()
    keys: Sequence[Key] = ((),)

    def open(self, key: Key) -> dict[str, pd.DataFrame]:
        """The rows of one key of every table."""
        return {name: table.rows(key if table.keys else ()) for name, table in self.tables.items()}


def write(name: str, df: Any, folder: str, partition_keys: Sequence[str]) -> tuple[Table, list[Key]]:
    """Write a table as Parquet files that are cut by key, and say which keys there are, in their order.

    df              of pandas, Arrow or Polars, a Spark DataFrame (executors write it, and the driver sees keys only),
                    or of Dask
    partition_keys  columns to cut by; none to keep it whole

    Raises ConfigError where it has not got these columns, is no table, or cannot be written.
    """
    path = within(folder, f"{name}-{uuid.uuid4().hex[:8]}")
    keys = tuple(partition_keys)
    if is_spark_table(df):
        _check(name, df.columns, keys)
        return Table(path, keys), _write_spark(df, path, keys)
    arrow = to_arrow(name, df)
    _check(name, arrow.column_names, keys)
    with _named(name):
        found = _write_arrow(_with_plain_keys(arrow, keys), path, keys)
    return Table(path, keys, {key: number for number, key in enumerate(found)} if keys else None), found


def to_arrow(name: str, df: Any) -> pa.Table:
    """The table in Arrow's form. Raises ConfigError for what is no table."""
    import pyarrow as pa

    if isinstance(df, pa.Table):
        return df
    if is_a(df, "dask", "DataFrame"):
        df = df.compute()
    if is_a(df, "polars", "DataFrame"):
        return df.to_arrow()
    if is_a(df, "pandas", "DataFrame"):
        with _named(name):
            return pa.Table.from_pandas(df, preserve_index=False)
    raise ConfigError(f"{name} has to be a table of pandas, Arrow, Polars, Spark or Dask, got {type(df).__name__}")


def columns_of(df: Any) -> list[str]:
    """The names of a table's columns, whatever library it is of."""
    return list(map(str, df.column_names if is_a(df, "pyarrow", "Table") else df.columns))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors of Arrow's, as ours."""
    try:
        yield
    except (ValueError, TypeError, NotImplementedError) as error:  # Arrow's errors are of these
        raise ConfigError(f"{name} cannot be written as Parquet and cut by key: {error}") from error


def _with_plain_keys(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The table with keys that can be sorted and compared: categories as their values, NaN as a missing value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for key in keys:
        column = table.column(key)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
        table = table.set_column(table.column_names.index(key), key, column)
    return table


def _write_arrow(table: pa.Table, path: str, keys: Sequence[str]) -> list[Key]:
    """One group of rows for each key, so that a worker reads no more than it needs."""
    import pyarrow.parquet as pq
    from fsspec.core import url_to_fs

    filesystem, place = url_to_fs(path)
    filesystem.makedirs(place, exist_ok=True)
    found: list[Key] = []
    if keys:
        table = table.sort_by([(key, "ascending") for key in keys])
    with (
        filesystem.open(f"{place}/{_FILE}", "wb") as file,
        pq.ParquetWriter(file, table.schema) as writer,
    ):
        for key, start, length in _runs(table, keys) if keys else [((), 0, table.num_rows)]:
            found.append(key)
            writer.write_table(table.slice(start, length), row_group_size=max(1, length))
    return found


def _runs(table: pa.Table, keys: Sequence[str]) -> Iterator[tuple[Key, int, int]]:
    """The keys of a sorted table, with where each begins and how many rows it has."""
    rows = list(zip(*(table.column(key).to_pylist() for key in keys), strict=True))
    start = 0
    for index in range(1, len(rows) + 1):
        if index == len(rows) or rows[index] != rows[start]:
            yield rows[start], start, index - start
            start = index


def _write_spark(df: Any, path: str, keys: Sequence[str]) -> list[Key]:
    if not keys:
        df.write.parquet(path)
        return [()]
    df.repartition(*keys).sortWithinPartitions(*keys).write.parquet(path)
    found = df.select(*keys).distinct().sort(*keys).collect()
    return [tuple(row) for row in found]


def _check(name: str, columns: Sequence[str], keys: Sequence[str]) -> None:
    if missing := [key for key in keys if key not in columns]:
        raise ConfigError(f"{name} has no column {missing[0]!r} to be partitioned by, only {', '.join(columns)}")
