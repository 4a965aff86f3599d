"""What is known of a data set before anything of it is read."""

from __future__ import annotations

from numbers import Number
from typing import Any

import msgspec

from maggy.context.data.kinds import is_a, is_array, is_spark_table, is_tf_dataset


class Outline(msgspec.Struct, frozen=True):
    """The columns and the size of a data set; None for what it does not have, or what is not known.

    columns  their names
    width    how many columns there are, with or without names: of an array, the length of its last axis
    rows     how many rows there are

    What has rows but no width is flat, as labels are.
    """

    columns: tuple[str, ...] | None = None
    width: int | None = None
    rows: int | None = None

    @property
    def is_flat(self) -> bool:
        """Whether there are no columns that could be left out."""
        return self.rows is not None and self.width is None


UNKNOWN = Outline()


def named(columns: Any, rows: int | None = None) -> Outline:
    """The outline of a table; labels that are no text are named as they are shown."""
    names = tuple(map(str, columns))
    return Outline(names, len(names), rows)


def outline(value: Any) -> Outline:
    """The outline of one data set, as it is in a config or as the training gets it; `UNKNOWN` of any other value."""
    if is_a(value, "pandas", "DataFrame"):
        return named(value.columns, len(value))
    if is_spark_table(value):
        return named(value.columns)
    if is_a(value, "pyarrow", "Table", "RecordBatch"):
        return named(value.column_names, value.num_rows)
    if is_a(value, "pyarrow", "Dataset"):
        return named(value.schema.names)
    if is_array(value):
        return _of_array(value)
    if is_a(value, "pandas", "Series", "Index", "ExtensionArray") or is_a(value, "pyarrow", "Array", "ChunkedArray"):
        return Outline(rows=len(value))
    if is_a(value, "torch", "TensorDataset"):
        return Outline(width=_of_array(value.tensors[0]).width)
    if is_tf_dataset(value):
        return _of_element(value.element_spec)
    if is_columns(value):
        return named(value)
    if isinstance(value, list | tuple) and value and (isinstance(value[0], str) or is_number(value[0])):
        return Outline(rows=len(value))
    return UNKNOWN


def is_columns(value: Any) -> bool:
    """Whether this is a dict of columns: of arrays, tensors, series, or lists of plain values, by name."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(name, str) and _is_column(column) for name, column in value.items())
    )


def is_number(value: Any) -> bool:
    """Whether this is one number, of Python or of a framework."""
    return isinstance(value, Number) or getattr(value, "shape", None) == ()


def _is_column(value: Any) -> bool:
    if is_array(value):
        return len(value.shape) > 0
    return outline(value).is_flat


def _of_array(array: Any) -> Outline:
    names = getattr(array.dtype, "names", None)
    if names is not None:
        return named(names, len(array) if array.shape else None)
    if not array.shape:
        return UNKNOWN
    return Outline(width=int(array.shape[-1]) if len(array.shape) > 1 else None, rows=int(array.shape[0]))


def _of_element(spec: Any) -> Outline:
    """The outline of a `tf.data.Dataset`: of its elements, or of x where they are pairs (x, y)."""
    if isinstance(spec, tuple):
        return _of_element(spec[0]) if spec else UNKNOWN
    if isinstance(spec, dict):
        return named(spec)
    shape = getattr(spec, "shape", None)
    return Outline(width=shape[-1]) if shape is not None and shape.rank else UNKNOWN
