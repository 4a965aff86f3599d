"""Each form of data makes its way to the training function through real files, and is each trial's own."""

from __future__ import annotations

import pickle
import sys
from collections import namedtuple
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pytest
import torch
from torch.utils.data import TensorDataset

from maggy.context.data import Handle, materialise, resolve, size_of
from maggy.errors import ConfigError

Pair = namedtuple("Pair", "x y")


@pytest.fixture(params=["path", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an experiment's folder, here or on a store."""
    return str(tmp_path / "run") if request.param == "path" else f"{request.getfixturevalue('s3')}/run"


def handed_over(value: Any, folder: str, name: str = "dataset") -> Any:
    """What travels to workers for a value of the config."""
    return pickle.loads(pickle.dumps(materialise(name, value, folder)))


# --- arrays and tensors

MATRIX = np.arange(12, dtype="float32").reshape(3, 4)
ARRAYS = {
    "a matrix": MATRIX,
    "by columns": np.asfortranarray(MATRIX),
    "with gaps": MATRIX[::2, ::3],
    "one number": np.array(3),
    "empty": np.zeros((0, 4), "int8"),
    "texts": np.array(["a", "äöü"]),
    "times": np.array(["2020-01-01", "NaT"], "datetime64[D]"),
    "structured": np.array([(1, 2.0), (3, 4.0)], [("a", "i4"), ("b", "f8")]),
    "of the other byte order": np.array([1, 2], ">i4"),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_an_array_arrives_as_an_equal_array(array, folder):
    handle = handed_over(array, folder)
    back = resolve(handle)
    assert type(back) is np.ndarray and back.dtype == array.dtype
    assert back.flags.writeable and back.flags.f_contiguous >= array.flags.f_contiguous
    np.testing.assert_array_equal(back, array)
    assert handle.kind == "array"


PICKLED_ARRAYS = {
    "of objects": np.array([1, "x", None], dtype=object),
    "structured, of objects": np.array([(1, "x")], [("a", "i4"), ("b", "O")]),
    "masked": np.ma.masked_array([1, 2], [False, True]),
    "with metadata": np.zeros(2, np.dtype("i4", metadata={"unit": "m"})),
    "texts of any length": np.array(["a", "bc"], np.dtypes.StringDType()),
}


@pytest.mark.parametrize("array", PICKLED_ARRAYS.values(), ids=PICKLED_ARRAYS.keys())
def test_an_array_that_is_more_than_its_bytes_arrives_equal_too(array, tmp_path):
    handle = handed_over(array, str(tmp_path))
    back = resolve(handle)
    assert type(back) is type(array) and back.dtype == array.dtype and back.dtype.metadata == array.dtype.metadata
    np.testing.assert_array_equal(back, array)
    assert handle.kind == "object"


TENSORS = {
    "a matrix": torch.arange(12.0).reshape(3, 4),
    "a part of another": torch.arange(3_000_000)[5:7],
    "of half precision": torch.ones(2, dtype=torch.bfloat16),
    "one number": torch.tensor(3),
    "sparse": torch.eye(3).to_sparse(),
    "of a training": torch.ones(2, requires_grad=True),
}


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS.keys())
def test_a_tensor_arrives_as_an_equal_tensor_and_nothing_beside_it(tensor, folder):
    handle = handed_over(tensor, folder)
    back = resolve(handle)
    assert type(back) is torch.Tensor and back.dtype == tensor.dtype and back.requires_grad == tensor.requires_grad
    assert back.layout == tensor.layout and torch.equal(back.to_dense(), tensor.to_dense())
    assert handle.size_bytes < 10_000


# --- Arrow


def test_an_arrow_table_arrives_equal_with_its_metadata(folder):
    words = pa.chunked_array([pa.array(["x", "y"]).dictionary_encode(), pa.array(["z"]).dictionary_encode()])
    table = pa.table({"a": [1, None, 3], "words": words, "nested": [{"x": [1]}, {"x": []}, None]})
    table = table.replace_schema_metadata({"made by": "hand"})
    back = resolve(handed_over(table, folder))
    assert type(back) is pa.Table
    assert back.to_pydict() == table.to_pydict() and back.schema.equals(table.schema, check_metadata=True)


def test_an_arrow_dataset_arrives_as_a_dataset_that_reads_the_same_files(tmp_path):
    table = pa.table({"a": [1, 2, 3, 4], "part": ["x", "x", "y", "y"]})
    pads.write_dataset(
        table, tmp_path / "files", format="parquet", partitioning=pads.partitioning(pa.schema([("part", "string")]))
    )
    given = pads.dataset(tmp_path / "files", partitioning=["part"])
    back = resolve(handed_over(given, str(tmp_path / "run")))
    assert isinstance(back, pads.Dataset) and back.files == given.files
    assert back.to_table(filter=pads.field("part") == "y").to_pydict() == {"a": [3, 4], "part": ["y", "y"]}


def test_an_arrow_dataset_of_relative_paths_reads_the_same_files_from_any_working_directory(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "rows.csv").write_text("a\n1\n2\n")
    pads.write_dataset(
        pa.table({"a": [1, 2], "part": ["x", "y"]}), tmp_path / "files", format="parquet", partitioning=["part"]
    )
    monkeypatch.chdir(tmp_path)
    given = {
        "csv": pads.dataset("rows.csv", format="csv"),
        "parts": pads.dataset("files", partitioning=["part"]),
        "both": pads.dataset([pads.dataset(path, format="csv") for path in ("rows.csv", tmp_path / "rows.csv")]),
    }
    expected = {name: dataset.to_table().to_pydict() for name, dataset in given.items()}
    handles = {name: handed_over(dataset, str(tmp_path / "run"), name) for name, dataset in given.items()}
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert {name: resolve(handle).to_table().to_pydict() for name, handle in handles.items()} == expected


def test_an_arrow_dataset_that_holds_its_rows_or_a_filter_arrives_with_these_rows(folder):
    table = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    for name, given in {"rows": pads.dataset(table), "some": pads.dataset(table).filter(pads.field("a") > 1)}.items():
        back = resolve(handed_over(given, folder, name))
        assert isinstance(back, pads.Dataset) and back.to_table() == given.to_table()


def test_an_arrow_dataset_on_a_store_takes_no_secret_along(s3, tmp_path):
    with fsspec.open(f"{s3}/table/part.parquet", "wb") as file:
        pa.parquet.write_table(pa.table({"a": [1, 2]}), file)
    given = pads.dataset("bucket/table", filesystem=fsspec.filesystem("s3"))
    handle = handed_over(given, str(tmp_path))
    assert resolve(handle).to_table().to_pydict() == {"a": [1, 2]}
    assert all(b"something" not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    native = pa.fs.S3FileSystem(access_key="somebody", secret_key="something", region="eu")
    given = pads.FileSystemDataset.from_paths(["b/a.parquet"], pa.schema([]), pads.ParquetFileFormat(), native)
    with pytest.raises(ConfigError, match=r"kind 's3' carries its keys.*Give its URL"):
        materialise("train_set", given, str(tmp_path))


# --- anything else


def test_a_torch_dataset_and_other_objects_arrive_as_themselves(folder):
    given = TensorDataset(torch.arange(6.0).reshape(3, 2), torch.arange(3))
    back = resolve(handed_over(given, folder))
    assert type(back) is TensorDataset and torch.equal(back[1][0], given[1][0])
    for value in ({"n": 3, "names": ["x", "y"]}, [1, 2, 3], [], b"bytes", {"x": MATRIX, "n": 3}, range(3)):
        again = resolve(handed_over(value, f"{folder}/{size_of(value)}-{id(value)}"))
        assert type(again) is type(value) and str(again) == str(value)


def test_none_and_factories_arrive_as_given(tmp_path):
    class Rows:
        def __call__(self):
            return [1]

    for value in (None, len, dict, partial(int, base=2), lambda: 3, Rows()):
        assert materialise("dataset", value, str(tmp_path)) is value is resolve(value)
    assert list(tmp_path.iterdir()) == []


def test_containers_of_data_keep_their_kind_and_each_part_its_form(folder):
    frame = pd.DataFrame({"a": [1, 2]})
    given = {
        "list": [frame, frame],
        "pair": (MATRIX, MATRIX[:, 0]),
        "named": Pair(MATRIX, None),
        "nested": {"train": (MATRIX, [pa.table({"a": [1]})]), "make": len},
    }
    handle = handed_over(given, folder)
    back = resolve(handle)
    assert [type(each) for each in back.values()] == [list, tuple, Pair, dict]
    assert all(frame.equals(each) for each in back["list"])
    np.testing.assert_array_equal(back["pair"][1], MATRIX[:, 0])
    assert back["named"].y is None and back["nested"]["make"] is len
    assert back["nested"]["train"][1][0].to_pydict() == {"a": [1]}
    assert isinstance(handle["nested"]["train"][0], Handle)


def test_a_container_of_very_many_things_is_one_file(tmp_path):
    words = [np.full(n, n) for n in range(100)]
    back = resolve(handed_over(words, str(tmp_path)))
    assert [len(word) for word in back] == list(range(100))
    assert len(list(tmp_path.rglob("*.pickle"))) == 1


def test_what_cannot_be_written_says_what_to_give_instead(tmp_path):
    import threading

    with pytest.raises(ConfigError, match=r"train_set= is _thread.lock.*cannot pickle.*Give a function that makes it"):
        materialise("train_set", threading.Lock(), str(tmp_path))
    with pytest.raises(ConfigError, match=r"generator.*Give a function"):
        materialise("train_set", (n for n in range(3)), str(tmp_path))
    assert not (tmp_path / "data/train_set").exists()


# --- one trial does not disturb the next


def test_what_a_trial_changes_the_next_one_does_not_see(folder):
    given = [MATRIX.copy(), torch.zeros(3), pd.DataFrame({"a": [1, 2]}), pd.Series([1, 2]), {"rows": [1, 2]}]
    handle = handed_over(given, folder)
    for _ in range(2):
        array, tensor, frame, series, thing = resolve(handle)
        assert array[0, 0] == 0 and tensor[0] == 0 and frame.loc[0, "a"] == series[0] == 1 and thing["rows"] == [1, 2]
        array[:], tensor[:] = 9, 9
        frame.loc[0, "a"], series[0] = 9, 9
        thing["rows"].append(9)


def test_arrays_on_this_machine_are_mapped_so_that_workers_share_what_they_read(tmp_path):
    array, tensor = np.ones(100_000), torch.ones(100_000)
    mapped = resolve([handed_over(array, str(tmp_path), "a"), handed_over(tensor, str(tmp_path), "t")])
    if sys.platform == "linux":
        maps = Path("/proc/self/maps").read_text()
        assert f"{tmp_path}/data/a/array.npy" in maps and f"{tmp_path}/data/t/tensor.pt" in maps
    assert mapped[0].sum() == mapped[1].sum() == 100_000
