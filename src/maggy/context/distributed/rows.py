"""Rows of tables and arrays, of whatever library, and the rank's part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maggy.context.data.kinds import is_a, is_container, like
from maggy.context.data.outline import outline

if TYPE_CHECKING:
    import numpy as np


def rows_of(data: Any) -> int | None:
    """How many rows a table or an array has, or each of those in a list, tuple or dict, such as (x, y).

    None for any other value; so also where not all have as many, and for a list of samples, which has more members than
    these have rows.
    """
    if is_a(data, "pyarrow", "Dataset"):
        return int(data.count_rows())
    if not is_container(data):
        return outline(data).rows
    members = list(data.values()) if isinstance(data, dict) else data
    rows = rows_of(members[0]) if members else None
    if rows is None or (len(members) > rows and not isinstance(data, dict)):
        return None
    return rows if all(rows_of(member) == rows for member in members) else None


def take(data: Any, at: np.ndarray[Any, Any]) -> Any:
    """These rows of what `rows_of` knows; of a dataset of Arrow, they are in memory."""
    if is_container(data):
        if isinstance(data, dict):
            return {name: take(column, at) for name, column in data.items()}
        return like(data, [take(member, at) for member in data])
    if is_a(data, "pandas", "DataFrame", "Series"):
        return data.iloc[at]
    if is_a(data, "pyarrow", "Dataset"):
        import pyarrow.dataset

        return pyarrow.dataset.dataset(data.take(at))
    return data.take(at) if type(data).__module__.startswith("pyarrow") else data[at]


def positions(count: int, rank: int, size: int) -> np.ndarray[Any, Any]:
    """Every `size`-th of so many positions, from `rank` on; filled up from the start, so that no rank has fewer."""
    import numpy as np

    return np.arange(rank, -(-count // size) * size, size) % max(count, 1)
