"""Columns are left out of `tf.data` as it is read, and it makes its way through a folder."""

from __future__ import annotations

import pytest

from maggy.ablation.components import Features
from maggy.context.data import materialise, resolve
from maggy.context.features import check_columns, leave_out, outline
from maggy.errors import AblationError, ConfigError

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.keras


def feature(*columns: str | int, fill: float | None = None) -> list[Features]:
    return [Features(name=f"no {columns[0]}", columns=columns, fill=fill)]


@pytest.fixture
def named():
    """Pairs of a dict of columns, and a label."""
    return tf.data.Dataset.from_tensor_slices(({"age": [1, 2, 3], "fare": [1.5, 2.5, 3.5]}, [0, 1, 1]))


@pytest.fixture
def matrix():
    """Pairs of two numbers, and a label."""
    return tf.data.Dataset.from_tensor_slices(([[1.0, 2.0], [3.0, 4.0]], [0, 1]))


def elements(data):
    return list(data.as_numpy_iterator())


def test_columns_are_known_from_the_specification(named, matrix):
    assert outline(named).columns == outline(named.batch(2)).columns == ("age", "fare")
    assert outline(matrix).columns is None and outline(matrix).width == outline(matrix.batch(2)).width == 2


def test_dicts_lose_keys_or_hold_the_fill(named):
    assert elements(leave_out(named, feature("age")))[1] == ({"fare": 2.5}, 1)
    assert elements(leave_out(named, feature("age", fill=7)))[1] == ({"age": 7, "fare": 2.5}, 1)
    assert elements(leave_out(named.map(lambda x, y: {**x, "y": y}), feature("fare"), label="y"))[0] == {
        "age": 1,
        "y": 0,
    }
    with pytest.raises(AblationError, match=r"'age' of the data holds int32, so fill=0.5 cannot stand in its place"):
        leave_out(named, feature("age", fill=0.5))


def test_tensors_lose_positions_of_their_last_axis(matrix):
    assert elements(leave_out(matrix, feature(0)))[1][0].tolist() == [4]
    assert elements(leave_out(matrix.batch(2), feature(0)))[0][0].tolist() == [[2], [4]]
    assert elements(leave_out(matrix, feature(0, fill=-1)))[1][0].tolist() == [-1, 4]


def test_unknown_columns_are_found_before_anything_starts(named, matrix):
    for act in (leave_out, check_columns):
        with pytest.raises(AblationError, match="Did you mean 'fare'"):
            act(named, feature("fair"))
        with pytest.raises(AblationError, match="positions from 0 to 1"):
            act(matrix, feature("fare"))
    with pytest.raises(AblationError, match="columns can be left out of dicts"):
        leave_out(tf.data.Dataset.range(3), feature(0))


@pytest.mark.parametrize("where", ["path", "memory"])
def test_a_finite_dataset_is_written_and_arrives_with_equal_elements(where, named, tmp_path):
    folder = str(tmp_path) if where == "path" else f"memory://{tmp_path.name}"
    data = named.batch(2)
    handle = materialise("train_set", [data, None], folder)
    for _ in range(2):
        back, _ = resolve(handle)
        assert back.element_spec == data.element_spec
        for (x, y), (its_x, its_y) in zip(elements(data), elements(back), strict=True):
            assert {name: list(column) for name, column in x.items()} == {name: list(c) for name, c in its_x.items()}
            assert list(y) == list(its_y)
    assert handle[0].outline.columns == ("age", "fare")


def test_a_dataset_without_an_end_asks_for_a_factory(named, tmp_path):
    with pytest.raises(ConfigError, match=r"without an end cannot be written.*give a factory"):
        materialise("train_set", named.repeat(), str(tmp_path))
