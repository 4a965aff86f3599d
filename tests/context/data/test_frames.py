"""A pandas object comes back equal, whatever it holds: as Parquet, or as a pickle where Parquet would change it."""

from __future__ import annotations

import pickle
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.context.data import materialise, resolve


def arrived(value: Any, folder: Path | str) -> tuple[Any, str]:
    """What the training function gets for a value, and the form that it was written in."""
    handle = pickle.loads(pickle.dumps(materialise("dataset", value, str(folder))))
    return resolve(handle), handle.kind


def assert_same(value: Any, other: Any) -> None:
    """Equal to the last detail: a pickle of pandas would be the same object, were it not for shared parts."""
    if isinstance(value, pd.Series):
        pd.testing.assert_series_equal(value, other, check_exact=True, check_freq=True)
    else:
        pd.testing.assert_frame_equal(value, other, check_exact=True, check_freq=True, check_column_type=True)
    columns = [value] if isinstance(value, pd.Series) else [value.iloc[:, at] for at in range(value.shape[1])]
    others = [other] if isinstance(value, pd.Series) else [other.iloc[:, at] for at in range(value.shape[1])]
    for mine, its in zip(columns, others, strict=True):
        assert [type(each) for each in mine] == [type(each) for each in its]
        if mine.dtype == "category":
            assert list(mine.cat.categories) == list(its.cat.categories)
    assert value.attrs == other.attrs


TIMES = pd.date_range("2020-01-01", periods=3, freq="D", tz="Europe/Stockholm")
PARQUET = {
    "numbers": pd.DataFrame({"a": [1, 2, 3], "b": [0.5, np.nan, -0.0], "c": [True, False, True]}),
    "small and unsigned numbers": pd.DataFrame(
        {"a": np.array([1, 2], "int8"), "b": np.array([1, 2**64 - 1], "uint64"), "c": np.array([1, 2], "float32")}
    ),
    "texts": pd.DataFrame({"a": ["x", None, "äöü"], "b": ["", "y", "z"]}),
    "an index of texts": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
    "a multi-index": pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])),
    "an index that counts": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(10, 14, 2, name="n")),
    "times with a zone": pd.DataFrame({"a": pd.Series(TIMES)}),
    "times by nanoseconds": pd.DataFrame({"a": np.array([1, 2], "datetime64[ns]")}),
    "categories": pd.DataFrame({"a": pd.Categorical(["y", "x", None], ["x", "y", "never"])}),
    "nullable types": pd.DataFrame(
        {
            "a": pd.array([1, None], "Int64"),
            "b": pd.array([True, None], "boolean"),
            "c": pd.array(["x", None], "string"),
        }
    ),
    "numbered columns": pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=[3, 1, 2]),
    "a multi-index of columns": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("x", "a"), ("x", "b")])),
    "no rows": pd.DataFrame({"a": np.zeros(0), "b": np.zeros(0, "int64")}),
    "a series": pd.Series([1.0, 2.0], name="a", index=["x", "y"]),
    "a series without a name": pd.Series([1, 2]),
}
PICKLED = {
    "mixed objects": pd.DataFrame({"a": [1, "x", 2.5, None, (1, 2)]}),
    "numbers as objects": pd.DataFrame({"a": pd.Series([1, 2.5, True], dtype=object)}),
    "missing values of two kinds": pd.DataFrame({"a": pd.Series(["x", None, np.nan], dtype=object)}),
    "decimals": pd.DataFrame({"a": [Decimal("1.5"), Decimal("2")]}),
    "dicts, which Parquet would give the same keys": pd.DataFrame({"a": [{"x": 1}, {"y": 2}]}),
    "lists, which would become arrays": pd.DataFrame({"a": [[1], [2, 3]]}),
    "complex numbers": pd.DataFrame({"a": [1 + 2j]}),
    "columns that are a range": pd.DataFrame(np.arange(6.0).reshape(2, 3)),
    "columns of the same name": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "names of several types": pd.DataFrame([[1, 2]], columns=["a", 1]),
    "an index with a frequency": pd.DataFrame({"a": [1, 2, 3]}, index=TIMES),
    "sparse columns": pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}),
    "times by seconds": pd.DataFrame({"a": np.array([1, 2], "datetime64[s]")}),
    "categories that are numbers of a small type": pd.DataFrame({"a": pd.Categorical(np.array([1, 2], "int8"))}),
    "a series whose name is no text": pd.Series([1, 2], name=("a", 1)),
}


@pytest.mark.parametrize("frame", PARQUET.values(), ids=PARQUET.keys())
def test_what_parquet_holds_is_written_as_parquet_and_comes_back_equal(frame, tmp_path):
    back, kind = arrived(frame, tmp_path)
    assert_same(frame, back)
    assert kind in ("frame", "series")
    assert len(list(tmp_path.glob("data/dataset/*.parquet"))) == 1


@pytest.mark.parametrize("frame", PICKLED.values(), ids=PICKLED.keys())
def test_what_parquet_would_change_is_pickled_and_comes_back_equal(frame, tmp_path):
    back, kind = arrived(frame, tmp_path)
    assert_same(frame, back)
    assert kind == "object"


def test_texts_as_objects_stay_objects(tmp_path):
    frame = pd.DataFrame({"a": pd.Series(["x", None, "y"], dtype=object)})
    assert_same(frame, arrived(frame, tmp_path)[0])


def test_an_empty_frame_comes_back_empty(tmp_path):
    for at, frame in enumerate([pd.DataFrame(), pd.DataFrame(index=range(3)), pd.DataFrame(columns=["a"])]):
        back, _ = arrived(frame, tmp_path / str(at))
        pd.testing.assert_frame_equal(frame, back, check_column_type=True)


def test_categories_keep_their_order_where_parquet_writes_them_in_several_parts(tmp_path):
    names = [f"{number:06d}" * 40 for number in range(9000)]  # more than the dictionary of a Parquet file takes
    frame = pd.DataFrame({"a": pd.Categorical(list(reversed(names)), names)})
    back, _ = arrived(frame, tmp_path)
    assert_same(frame, back)


def test_a_class_derived_from_a_frame_stays_one(tmp_path):
    back, kind = arrived(Framed({"a": [1]}), tmp_path)
    assert type(back) is Framed and kind == "object"


class Framed(pd.DataFrame):
    pass


MISSING = st.none() | st.just(float("nan"))
SCALARS = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint8": st.integers(0, 255),
    "float64": st.floats(),
    "float16": st.floats(width=16),
    "bool": st.booleans(),
    "object": st.text(max_size=3) | st.integers() | st.floats(allow_nan=False) | st.booleans() | MISSING,
    "str": st.text(st.characters(codec="utf-8"), max_size=3) | st.none(),
    "category": st.sampled_from(["x", "y", "z", None]),
    "Int16": st.integers(-5, 5) | st.none(),
    "Float64": st.floats(allow_nan=False) | st.none(),
    "boolean": st.booleans() | st.none(),
    "datetime64[ns]": st.datetimes(pd.Timestamp("1800-01-01"), pd.Timestamp("2200-01-01")) | st.none(),
    "datetime64[s]": st.datetimes(pd.Timestamp("1800-01-01"), pd.Timestamp("2200-01-01")).map(
        lambda time: time.replace(microsecond=0)
    ),
    "datetime64[us, UTC]": st.datetimes(pd.Timestamp("1800-01-01"), pd.Timestamp("2200-01-01")),
    "timedelta64[ns]": st.integers(-(10**15), 10**15),
}
LABELS = st.text(st.characters(codec="utf-8"), max_size=3) | st.integers(-3, 3) | st.tuples(st.text(max_size=1))


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 4))

    def column(kind: str) -> pd.Series:
        values = draw(st.lists(SCALARS[kind], min_size=rows, max_size=rows))
        return pd.Series(values, dtype="object").astype(kind) if kind != "object" else pd.Series(values, dtype=kind)

    kinds = draw(st.lists(st.sampled_from(list(SCALARS)), max_size=4))
    labels = draw(st.lists(LABELS, min_size=len(kinds), max_size=len(kinds)))
    frame = pd.concat([column(kind) for kind in kinds], axis=1) if kinds else pd.DataFrame(index=range(rows))
    if any(isinstance(label, tuple) for label in labels):
        frame.columns = pd.Index([str(label) for label in labels])
    else:
        frame.columns = pd.Index(labels, name=draw(st.none() | st.just("name")))
    index = draw(st.none() | st.sampled_from(["int64", "str", "object", "datetime64[ns]"]))
    if index is not None:
        frame.index = pd.Index(column(index), name=draw(st.none() | st.just("a") | st.just(0)))
    return frame


@settings(max_examples=80)
@given(frames())
def test_any_frame_comes_back_equal(frame):
    with TemporaryDirectory() as folder:
        assert_same(frame, arrived(frame, folder)[0])
