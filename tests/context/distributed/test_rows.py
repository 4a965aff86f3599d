"""Which values have rows, and what a rank gets of them."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maggy.context.distributed.rows import positions, rows_of, take

Pair = namedtuple("Pair", ["x", "y"])
X, Y = np.arange(21.0).reshape(7, 3), np.arange(7)

TABLES = {
    "array": X,
    "tensor": torch.tensor(X),
    "frame": pd.DataFrame(X, columns=list("abc"), index=list("tuvwxyz")),
    "series": pd.Series(Y, index=list("tuvwxyz")),
    "arrow": pa.table({"a": X[:, 0], "b": Y}),
    "batch": pa.record_batch({"a": Y}),
    "column": pa.chunked_array([Y[:4], Y[4:]]),
    "dataset": pyarrow.dataset.dataset(pa.table({"a": X[:, 0], "b": Y})),
    "pair": (X, torch.tensor(Y)),
    "named": Pair(X, Y),
    "columns": {"x": X, "y": pd.Series(Y)},
    "nested": [{"left": X, "right": X}, Y],
}


def plain(data):
    """The same as lists, for comparison."""
    if isinstance(data, dict):
        return {name: plain(each) for name, each in data.items()}
    if isinstance(data, list | tuple):
        return [plain(each) for each in data]
    if isinstance(data, pyarrow.dataset.Dataset):
        data = data.to_table()
    if isinstance(data, pa.Table | pa.RecordBatch):
        data = data.to_pandas()
    if isinstance(data, pa.ChunkedArray):
        return data.to_pylist()
    return data.to_numpy().tolist() if hasattr(data, "to_numpy") else data.tolist()


def every(data, at):
    """These rows of what `plain` makes."""
    if isinstance(data, dict):
        return {name: every(each, at) for name, each in data.items()}
    if isinstance(data, list) and len(data) == 2:
        return [every(each, at) for each in data]
    return [data[position] for position in at]


@pytest.mark.parametrize("kind", TABLES)
def test_rows_are_counted_and_taken_whatever_holds_them(kind):
    data = TABLES[kind]
    assert rows_of(data) == 7
    taken = take(data, np.array([1, 4, 0]))
    assert isinstance(taken, pyarrow.dataset.Dataset if kind == "dataset" else type(data))
    assert rows_of(taken) == 3
    assert plain(taken) == every(plain(data), [1, 4, 0])


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "x.parquet",
        ("x.npy", "y.npy"),
        np.array(3.0),
        torch.tensor(3.0),
        {},
        [],
        (X, Y[:5]),
        {"x": X, "y": Y, "classes": 10},
        [(X[0], 1), (X[1], 2)],
        [torch.ones(3)] * 50,
    ],
)
def test_what_has_no_rows_or_not_all_as_many_is_not_cut(value):
    assert rows_of(value) is None


@given(count=st.integers(0, 50), size=st.integers(1, 7))
def test_the_ranks_have_equally_many_positions_and_leave_none_out(count, size):
    ranks = [positions(count, rank, size).tolist() for rank in range(size)]
    assert {len(each) for each in ranks} == {-(-count // size)}
    merged = [position for rounds in zip(*ranks, strict=True) for position in rounds]
    assert merged[:count] == list(range(count))
    assert merged[count:] == [position % count for position in range(len(merged) - count)]
