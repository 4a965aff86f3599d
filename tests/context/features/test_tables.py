"""Columns are left out of tables and arrays of every form, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maggy.ablation.components import Features
from maggy.context.data import materialise
from maggy.context.features import check_columns, leave_out, leave_out_of, remaining
from maggy.errors import AblationError

ROWS = {"age": [30, 40, 50], "fare": [1.5, 2.5, 3.5], "name": ["x", "y", "z"], "survived": [0, 1, 1]}


def feature(*columns: str | int, fill: float | None = None) -> list[Features]:
    return [Features(name=f"no {columns[0]}", columns=columns, fill=fill)]


def structured() -> np.ndarray:
    rows = list(zip(*ROWS.values(), strict=True))
    return np.array(rows, [("age", "i4"), ("fare", "f8"), ("name", "U1"), ("survived", "i1")])


FORMS: dict[str, Any] = {
    "DataFrame": lambda: pd.DataFrame(ROWS, index=["a", "b", "c"]),
    "Arrow table": lambda: pa.table(ROWS).replace_schema_metadata({"made by": "hand"}),
    "Arrow dataset": lambda: pads.dataset(pa.table(ROWS)),
    "dict of arrays": lambda: {name: np.array(column) for name, column in ROWS.items()},
    "dict of lists": lambda: {name: list(column) for name, column in ROWS.items()},
    "structured array": structured,
}


def rows_of(data: Any) -> dict[str, list[Any]]:
    """The columns of any of the forms."""
    if isinstance(data, pads.Dataset):
        data = data.to_table()
    if isinstance(data, pa.Table):
        return data.to_pydict()
    if isinstance(data, pd.DataFrame):
        return data.to_dict("list")
    names = data.dtype.names if isinstance(data, np.ndarray) else data
    return {name: list(data[name]) for name in names}


@pytest.fixture(params=FORMS.values(), ids=FORMS.keys())
def data(request: pytest.FixtureRequest) -> Any:
    """The same rows in each form."""
    return request.param()


def test_columns_are_known_without_reading_rows_of_data_and_of_their_handles(data, tmp_path):
    for value in (data, materialise("dataset", data, str(tmp_path))):
        check_columns(value, feature(*list(ROWS)[:3]))
        with pytest.raises(AblationError, match=f"Its columns: {', '.join(map(repr, ROWS))}$"):
            check_columns(value, feature("zzz"))


def test_a_column_is_left_out_and_what_was_given_stays_as_it_was(data):
    less = leave_out(data, feature("fare"), label="survived")
    assert type(less) is type(data) or isinstance(data, pads.Dataset)
    assert rows_of(less) == {name: column for name, column in ROWS.items() if name != "fare"}
    assert rows_of(data) == ROWS
    less = leave_out(data, feature("fare", "name") + feature("age"))
    assert rows_of(less) == {"survived": [0, 1, 1]}


def test_a_column_with_a_fill_keeps_its_place_and_its_type(data):
    less = leave_out(data, feature("age", fill=0), label="survived")
    assert rows_of(less) == ROWS | {"age": [0, 0, 0]} and list(rows_of(less)) == list(ROWS)
    assert rows_of(data) == ROWS
    both = feature("age", fill=7) + feature("name")
    assert rows_of(leave_out(data, both)) == {"age": [7] * 3, "fare": ROWS["fare"], "survived": [0, 1, 1]}


def test_the_label_is_never_left_out(data):
    for act in (leave_out, check_columns):
        with pytest.raises(AblationError, match="'survived' is the label") as caught:
            act(data, feature("age", "survived"), label="survived")
        assert caught.value.component == "no age"


def test_an_unknown_column_is_named_with_close_matches_and_what_there_is(data):
    for act in (leave_out, check_columns):
        with pytest.raises(AblationError) as caught:
            act(data, feature("age") + feature("fair"), name="train_set")
        assert str(caught.value) == (
            "train_set has no column 'fair'. Did you mean 'fare'? Its columns: 'age', 'fare', 'name', 'survived'"
        )
        assert caught.value.component == "no fair"
    with pytest.raises(AblationError, match="has no column 0"):
        leave_out(data, feature(0))


def test_an_ablation_that_changes_nothing_is_an_error(data):
    zeros = leave_out(data, feature("age", fill=0))
    with pytest.raises(AblationError, match=r"leaving out 'age' changes nothing in the data"):
        leave_out(zeros, feature("age", fill=0))
    with pytest.raises(AblationError, match="'nothing' names no columns"):
        leave_out(data, [Features(name="nothing", columns=())])


def test_something_but_the_label_has_to_be_left(data):
    with pytest.raises(AblationError, match="without any column but the label"):
        leave_out(data, feature("age", "fare", "name"), label="survived")


def test_a_label_that_is_no_column_is_found_before_anything_starts(data):
    with pytest.raises(AblationError, match=r"has no column 'Survived', which is said to be the label"):
        check_columns(data, feature("age"), label="Survived")
    check_columns((data, np.zeros(3)), feature("age"), label="Survived")  # it lies beside


def test_no_feature_leaves_the_data_as_they_are(data):
    assert leave_out(data, []) is data


@pytest.mark.parametrize("form", ["DataFrame", "Arrow table"])
def test_a_fill_that_a_whole_number_cannot_be_makes_the_column_one_of_real_numbers(form):
    less = leave_out(FORMS[form](), feature("age", fill=0.5))
    assert rows_of(less)["age"] == [0.5] * 3


def test_a_fill_that_cannot_stand_in_for_the_column_is_refused(data):
    with pytest.raises(AblationError, match=r"'name' of the data holds .*, so fill=0.5 cannot stand in its place"):
        leave_out(data, feature("name", fill=0.5))


def test_a_lazy_dataset_stays_lazy_and_reads_only_what_is_left(tmp_path):
    pa.parquet.write_table(pa.table(ROWS), tmp_path / "rows.parquet")
    dataset = pads.dataset(tmp_path / "rows.parquet")
    less = leave_out(dataset, feature("name"))
    assert isinstance(less, pads.FileSystemDataset) and less.schema.names == ["age", "fare", "survived"]
    chosen = leave_out(dataset.filter(pads.field("name") == "y"), feature("name"))
    assert chosen.to_table().to_pydict() == {"age": [40], "fare": [2.5], "survived": [1]}


def test_the_columns_of_a_path_and_of_a_list_of_paths_are_known(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("age,fare\n1,2\n")
    for value in (path, [str(path), path]):
        with pytest.raises(AblationError, match="Did you mean 'age'"):
            check_columns(value, feature("agee"))


# --- arrays without names


@pytest.fixture(params=[np.asarray, torch.tensor], ids=["array", "tensor"])
def matrix(request: pytest.FixtureRequest) -> Any:
    """Three rows of four numbers."""
    return request.param([[0.0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])


def test_positions_of_the_last_axis_are_left_out_of_arrays(matrix):
    assert leave_out(matrix, feature(1, 3)).tolist() == [[0, 2], [4, 6], [8, 10]]
    assert leave_out(matrix, feature(1, fill=-1)).tolist() == [[0, -1, 2, 3], [4, -1, 6, 7], [8, -1, 10, 11]]
    assert leave_out(matrix, feature(0) + feature(3, fill=0)).tolist() == [[1, 2, 0], [5, 6, 0], [9, 10, 0]]
    deep = matrix.reshape(3, 1, 4)
    assert leave_out(deep, feature(0)).shape == (3, 1, 3)
    assert matrix[0].tolist() == [0, 1, 2, 3]


def test_what_is_no_position_of_an_array_is_refused(matrix):
    for act in (leave_out, check_columns):
        with pytest.raises(
            AblationError, match="has no names of columns, so 'age' is none: name positions from 0 to 3"
        ):
            act(matrix, feature("age"))
        for position in (4, -1):
            with pytest.raises(AblationError, match=f"has no column {position}: positions go from 0 to 3"):
                act(matrix, feature(position))
    with pytest.raises(AblationError, match="without any column"):
        leave_out(matrix, feature(0, 1, 2, 3))


def test_a_fill_that_the_type_of_an_array_does_not_hold_is_refused(matrix):
    whole = matrix.astype("uint8") if isinstance(matrix, np.ndarray) else matrix.to(torch.uint8)
    for fill in (0.5, 256, -1, float("nan")):
        with pytest.raises(AblationError, match=rf"holds (torch.)?uint8, so fill={fill} cannot stand"):
            leave_out(whole, feature(0, fill=fill))
    assert leave_out(whole, feature(0, fill=255))[0, 0] == 255


@given(st.sets(st.integers(0, 5), min_size=1, max_size=5), st.sampled_from([None, -1.0]))
def test_what_is_not_left_out_stays_where_it_was(gone, fill):
    array = np.arange(12.0).reshape(2, 6)
    names = [f"c{position}" for position in range(6)]
    left = [position for position in range(6) if position not in gone]
    by_name = feature(*[names[position] for position in gone], fill=fill)
    arrays = leave_out(array, feature(*gone, fill=fill))
    frames = leave_out(pd.DataFrame(array, columns=names), by_name)
    tables = leave_out(pa.table(dict(zip(names, array.T, strict=True))), by_name)
    for result in (arrays, frames.to_numpy(), np.column_stack([column.to_numpy() for column in tables.columns])):
        if fill is None:
            np.testing.assert_array_equal(result, array[:, left])
        else:
            np.testing.assert_array_equal(result[:, left], array[:, left])
            assert (result[:, sorted(gone)] == fill).all()


# --- several data sets


def test_a_list_a_tuple_and_a_dict_are_several_data_sets():
    train, test = pd.DataFrame(ROWS), pd.DataFrame(ROWS).head(2)
    for data in ([train, test], (train, test), {"train": train, "test": test}, [(train, np.zeros(3)), None]):
        less = leave_out(data, feature("age"), label="survived")
        assert type(less) is type(data) and len(less) == len(data)
        check_columns(data, feature("age"))
        with pytest.raises(AblationError, match=r"no column 'age'.*'fare', 'name', 'survived'$"):
            check_columns(less, feature("age"))


def test_a_tuple_of_as_many_rows_with_other_columns_is_a_pair_of_which_x_is_changed(matrix):
    frame = pd.DataFrame(ROWS)
    for labels in (matrix[:, 0], matrix[:, :2], [0, 1, 1], list(np.array([True, False, True])), pd.Series([0, 1, 1])):
        x, y = leave_out((matrix, labels), feature(0))
        assert x.shape == (3, 3) and y is labels
    x, y = leave_out((frame[["age", "fare"]], frame[["survived"]]), feature("age"))
    assert list(x) == ["fare"] and list(y) == ["survived"]
    train, test = leave_out((matrix, matrix[:2]), feature(0))
    assert train.shape == (3, 3) and test.shape == (2, 3)
    with pytest.raises(AblationError, match="it may be a pair"):
        leave_out((matrix, matrix), feature(0))
    four = leave_out([matrix, matrix, matrix[:, 0], matrix[:, 1]], feature(0))
    assert [each.shape for each in four] == [(3, 3), (3, 3), (3,), (3,)]


def test_each_argument_needs_the_column_and_one_of_them_has_to_change():
    train, test = pd.DataFrame(ROWS), pd.DataFrame(ROWS).drop(columns="age")
    with pytest.raises(AblationError, match="test_set has no column 'age'"):
        leave_out_of({"train_set": train, "test_set": test}, feature("age"))
    with pytest.raises(AblationError, match=r"dataset\[1\] has no column 'age'"):
        leave_out([train, test], feature("age"), name="dataset")
    test = pd.DataFrame(ROWS).assign(age=0)
    less = leave_out_of({"train_set": train, "test_set": test, "dataset": None}, feature("age", fill=0))
    assert less["train_set"]["age"].sum() == 0 and less["test_set"] is test and less["dataset"] is None
    with pytest.raises(AblationError, match="changes nothing in train_set and test_set"):
        leave_out_of({"train_set": test, "test_set": test}, feature("age", fill=0))


def test_what_has_no_columns_asks_for_a_factory():
    for data in (b"bytes", {"text": "x", "n": 3}, object()):
        with pytest.raises(AblationError, match=r"which has no columns that are known.*takes ablated_features="):
            leave_out(data, feature("age"))
    with pytest.raises(AblationError, match=r"changes nothing in the data: it has no columns"):
        leave_out(np.zeros(3), feature(0))
    with pytest.raises(AblationError, match="the data is bytes, which has no columns that are known"):
        check_columns(b"bytes", feature("age"))


# --- patterns and labels


def test_a_star_stands_for_the_columns_that_begin_so_whatever_characters_they_have_and_never_for_the_label():
    frame = pd.DataFrame(ROWS)
    odd = frame.rename(columns={"age": "x[0] age", "fare": "x[0] fare"}).assign(sex=1)
    assert list(leave_out(odd, feature("x[0]*"))) == ["name", "survived", "sex"]
    assert list(leave_out(odd, feature("s*"), label="survived")) == ["x[0] age", "x[0] fare", "name", "survived"]
    with pytest.raises(AblationError, match=r"has no column 'surv\*'"):
        leave_out(odd, feature("surv*"), label="survived")
    assert remaining(list(odd), feature("s*", "name"), "survived") == ["x[0] age", "x[0] fare", "survived"]


def test_a_label_is_protected_whether_it_is_named_by_text_or_by_number(matrix):
    numbered = pd.DataFrame(matrix)
    for key, label in ((3, "3"), ("3", 3), (3, 3)):
        for act in (leave_out, check_columns):
            with pytest.raises(AblationError, match="is the label"):
                act(numbered, feature(key), label=label)
    check_columns(numbered, feature(0), label=3)
    with pytest.raises(AblationError, match="without any column but the label"):
        leave_out(numbered, feature(0, 1, 2), label=3)


def test_a_factory_that_leaves_out_by_itself_is_not_told_a_pattern():
    frame = pd.DataFrame(ROWS)

    def asks(ablated_features=()):
        return frame.drop(columns=list(ablated_features))

    for act in (leave_out, check_columns):
        with pytest.raises(AblationError, match=r"nobody knows beforehand which of its columns 'a\*' stands for"):
            act(asks, feature("a*"))
    assert list(leave_out(lambda: frame, feature("a*"))()) == ["fare", "name", "survived"]
