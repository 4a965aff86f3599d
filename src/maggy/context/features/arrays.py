"""Columns of arrays and tensors: positions of their last axis, or the fields of a structured array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maggy.context.data.kinds import is_a
from maggy.context.data.outline import outline
from maggy.context.features.cut import Cut


def leave_out_of_array(array: Any, cut: Cut, what: str) -> Any:
    """An array, tensor or structured array without these columns; itself where that changes nothing."""
    at = cut.positions(outline(array), what)
    names = getattr(array.dtype, "names", None)
    return without(array, at, cut, what) if names is None else _without_fields(array, at, cut, what)


def without(array: Any, at: Mapping[int, float | None], cut: Cut, what: str) -> Any:
    """An array or tensor without positions of its last axis; itself where that changes nothing."""
    result = array
    for position, fill in at.items():
        if fill is not None:
            value = constant(array[..., position], fill, cut, what)
            if bool((array[..., position] == value).all()):
                continue
            result = _copy(array) if result is array else result
            result[..., position] = value
    gone = {position for position, fill in at.items() if fill is None}
    return result[..., [each for each in range(array.shape[-1]) if each not in gone]] if gone else result


def constant(column: Any, fill: float, cut: Cut, what: str) -> Any:
    """A column of the same shape and type in which every value is `fill`.

    Raises AblationError if that is no value of its type.
    """
    if is_a(column, "torch", "Tensor"):
        import torch

        if not (column.is_floating_point() or column.is_complex() or holds(_as_numpy(column.dtype), fill)):
            raise cut.misfit(what, fill, column.dtype)
        return torch.full_like(column, fill)
    import numpy as np

    column = np.asarray(column)
    if not holds(column.dtype, fill):
        raise cut.misfit(what, fill, column.dtype)
    return np.full_like(column, fill)


def holds(dtype: Any, fill: float) -> bool:
    """Whether a number is a value of a NumPy dtype, up to rounding."""
    import numpy as np

    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return fill in (0, 1)
    if dtype.kind in "iu":
        return float(fill).is_integer() and np.iinfo(dtype).min <= fill <= np.iinfo(dtype).max
    return dtype.kind in "fc"


def _as_numpy(dtype: Any) -> Any:
    import torch

    return torch.zeros((), dtype=dtype).numpy().dtype


def _copy(array: Any) -> Any:
    return array.clone() if is_a(array, "torch", "Tensor") else array.copy()


def _without_fields(array: Any, at: Mapping[int, float | None], cut: Cut, what: str) -> Any:
    from numpy.lib.recfunctions import repack_fields

    names, result = array.dtype.names, array
    for position, fill in at.items():
        if fill is not None:
            column = array[names[position]]
            value = constant(column, fill, cut, f"{names[position]!r} of {what}")
            if (column == value).all():
                continue
            result = array.copy() if result is array else result
            result[names[position]] = value
    kept = [name for position, name in enumerate(names) if at.get(position, 0.0) is not None]
    return result if len(kept) == len(names) else repack_fields(result[kept])
