"""Columns of pandas DataFrames, Arrow tables and datasets, and dicts of columns."""

from __future__ import annotations

from typing import Any

from maggy.context.data.kinds import is_a, is_array
from maggy.context.data.outline import is_number, outline
from maggy.context.features.arrays import constant, holds
from maggy.context.features.cut import Cut


def leave_out_of_frame(frame: Any, cut: Cut, what: str) -> Any:
    """A pandas DataFrame without these columns; itself where that changes nothing."""
    at = cut.positions(outline(frame), what)
    result = frame
    for position, fill in at.items():
        if fill is not None:
            column = frame.iloc[:, position]
            value = _filled_series(column, fill, cut, f"{column.name!r} of {what}")
            if not column.equals(value):
                result = frame.copy(deep=False) if result is frame else result
                result.isetitem(position, value)
    kept = [position for position in range(frame.shape[1]) if at.get(position, 0.0) is not None]
    return result if len(kept) == frame.shape[1] else result.iloc[:, kept].copy(deep=False)


def leave_out_of_table(table: Any, cut: Cut, what: str) -> Any:
    """An Arrow table without these columns; itself where that changes nothing."""
    import pyarrow as pa

    at = cut.positions(outline(table), what)
    result = table
    for position, fill in at.items():
        if fill is not None:
            field = table.schema.field(position)
            kind = _arrow_type(field.type, fill, cut, f"{field.name!r} of {what}")
            value = pa.chunked_array([pa.array([fill], pa.float64()).cast(kind).take([0] * table.num_rows)])
            if not table.column(position).equals(value):
                result = result.set_column(position, field.with_type(kind), value)
    kept = [position for position in range(table.num_columns) if at.get(position, 0.0) is not None]
    return result if len(kept) == table.num_columns else result.select(kept)


def leave_out_of_arrow_dataset(dataset: Any, cut: Cut, what: str) -> Any:
    """A pyarrow Dataset without these columns, which reads the others only. With a fill, its rows are in memory."""
    import pyarrow as pa
    import pyarrow.dataset

    at = cut.positions(outline(dataset), what)
    if cut.has_fill:
        table = dataset.to_table()
        changed = leave_out_of_table(table, cut, what)
        return dataset if changed is table else pyarrow.dataset.dataset(changed)
    schema = dataset.schema
    kept = [field for position, field in enumerate(schema) if position not in at]
    projected = dataset.replace_schema(pa.schema(kept, schema.metadata))
    try:
        projected.head(0)
    except pa.ArrowInvalid:  # it has a filter on one of the columns
        return pyarrow.dataset.dataset(dataset.to_table(columns=[field.name for field in kept]))
    return projected


def leave_out_of_columns(columns: dict[str, Any], cut: Cut, what: str) -> dict[str, Any]:
    """A dict of columns without some of them; itself where that changes nothing."""
    names = list(columns)
    at = {names[position]: fill for position, fill in cut.positions(outline(columns), what).items()}
    result: dict[str, Any] = {}
    for name, column in columns.items():
        fill = at.get(name)
        if name not in at:
            result[name] = column
        elif fill is not None:
            result[name] = _filled(column, fill, cut, f"{name!r} of {what}")
    unchanged = len(result) == len(columns) and all(result[name] is columns[name] for name in names)
    return columns if unchanged else result


def _filled(column: Any, fill: float, cut: Cut, what: str) -> Any:
    if is_array(column):
        value = constant(column, fill, cut, what)
        return column if bool((column == value).all()) else value
    if is_a(column, "pandas", "Series"):
        series = _filled_series(column, fill, cut, what)
        return column if column.equals(series) else series
    strange = next((each for each in column if not is_number(each)), None)
    if strange is not None or not isinstance(column, list | tuple):
        raise cut.misfit(what, fill, type(column if strange is None else strange).__name__)
    return column if all(each == fill for each in column) else type(column)([fill] * len(column))


def _filled_series(column: Any, fill: float, cut: Cut, what: str) -> Any:
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    kind = column.dtype
    if not is_numeric_dtype(kind):
        raise cut.misfit(what, fill, kind)
    if not holds(getattr(kind, "numpy_dtype", kind), fill):
        kind = "float64"
    return pd.Series([fill] * len(column), index=column.index, name=column.name, dtype="float64").astype(kind)


def _arrow_type(kind: Any, fill: float, cut: Cut, what: str) -> Any:
    import pyarrow as pa

    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise cut.misfit(what, fill, kind)
    return kind if holds(kind.to_pandas_dtype(), fill) else pa.float64()
