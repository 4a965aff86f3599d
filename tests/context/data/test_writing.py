"""Data are written once: for several arguments, and for an experiment that is resumed; and never over others' files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest

from maggy.context.data import Handle, lies_in, materialise, resolve, size_of
from maggy.errors import ConfigError, ExperimentDirError


@pytest.fixture(params=["path", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an experiment's folder, here or on a store."""
    return str(tmp_path / "run") if request.param == "path" else f"{request.getfixturevalue('s3')}/run"


def files_in(folder: str) -> dict[str, Any]:
    """When each file below a folder was written."""
    fs, root = fsspec.core.url_to_fs(folder)
    fs.invalidate_cache()
    found = fs.find(root, detail=True)
    return {path.removeprefix(f"{root}/"): info.get("mtime", info.get("LastModified")) for path, info in found.items()}


def test_two_arguments_that_are_the_same_object_are_written_once(folder):
    array, written = np.ones(1000), {}
    first = materialise("dataset", array, folder, "e", written)
    second = materialise("train_set", [array, array], folder, "e", written)
    assert second == [first, first]
    assert set(files_in(folder)) == {"data/dataset/array.npy", "data/dataset/_manifest.json"}
    assert size_of({"dataset": first, "train_set": second}) == first.size_bytes > 8000


def test_data_in_the_experiments_folder_are_told_from_others(tmp_path):
    (tmp_path / "t.csv").write_text("a\n1\n")
    inside = materialise("dataset", np.ones(3), str(tmp_path / "run"))
    outside = materialise("train_set", str(tmp_path / "t.csv"), str(tmp_path / "run"))
    for folder in (tmp_path / "run", f"{tmp_path}/run/"):
        assert lies_in(str(folder), {"x": [inside]}) and not lies_in(str(folder), (outside, None, len, "text"))
    assert not lies_in(str(tmp_path / "ru"), inside)


def test_what_a_resumed_experiment_has_written_stands(folder):
    first = materialise("dataset", pd.DataFrame({"a": [1]}), folder, "e")
    before = files_in(folder)
    again = materialise("dataset", pd.DataFrame({"a": [2]}), folder, "e")
    assert again == first and files_in(folder) == before


def test_what_is_given_anew_is_written_anew_whatever_was_written_before(folder):
    old, new = np.zeros(3), np.ones(3)
    first = materialise("dataset", [old, old], folder, "e")
    materialise("dataset", [new, new], folder, "e", anew=True)
    assert [part.sum() for part in resolve(first)] == [3, 3]


def test_what_was_not_written_to_the_end_is_written_again(folder, monkeypatch):
    from maggy.context.data.forms import FORMS

    class PowerCut(BaseException):
        pass

    def cut(*_: Any) -> bool:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(FORMS["array"], "write", cut)
        with pytest.raises(PowerCut):
            materialise("dataset", np.zeros(3), folder, "e")
    fs, root = fsspec.core.url_to_fs(f"{folder}/data/dataset")
    fs.makedirs(root, exist_ok=True)
    fs.pipe_file(f"{root}/array.npy", b"half of an array")
    fs.pipe_file(f"{root}/other.npy", b"what nobody needs")

    handle = materialise("dataset", np.ones(3), folder, "e")
    assert resolve(handle).tolist() == [1, 1, 1]
    assert set(files_in(folder)) == {"data/dataset/array.npy", "data/dataset/_manifest.json"}


def test_what_another_experiment_or_another_class_has_left_is_replaced(folder):
    materialise("dataset", np.zeros(3), folder, "first")
    assert resolve(materialise("dataset", np.ones(3), folder, "second")).sum() == 3
    frame = pd.DataFrame({"a": [1]})
    assert frame.equals(resolve(materialise("dataset", frame, folder, "second")))
    assert "data/dataset/array.npy" not in files_in(folder)


def test_files_of_the_users_own_are_never_replaced(folder):
    fs, root = fsspec.core.url_to_fs(f"{folder}/data/train_set")
    fs.makedirs(root, exist_ok=True)
    fs.pipe_file(f"{root}/photos.zip", b"years of work")
    with pytest.raises(ConfigError, match=r"files lie there that this experiment has not written.*experiment_dir="):
        materialise("train_set", np.zeros(3), folder, "e")
    assert fs.cat_file(f"{root}/photos.zip") == b"years of work"


def test_the_handles_of_a_resumed_experiment_follow_its_folder(tmp_path):
    handle = materialise("dataset", [np.ones(3), None], str(tmp_path / "here"), "e")
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = materialise("dataset", handle, str(tmp_path / "there"), "e")
    assert resolve(moved)[0].sum() == 3
    with pytest.raises(ConfigError, match=r"the data that the experiment was begun with are not in .*give them again"):
        materialise("dataset", handle, str(tmp_path / "here"), "e")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ExperimentDirError, match=f"dataset= cannot be written to {tmp_path}/data/dataset: .*Make room"):
        materialise("dataset", np.ones(3), str(tmp_path), "e")


def test_data_that_are_gone_name_the_place(tmp_path):
    handle = materialise("dataset", np.ones(3), str(tmp_path), "e")
    assert isinstance(handle, Handle)
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(FileNotFoundError) as caught:
        resolve(handle)
    assert f"{tmp_path}/data/dataset (numpy.ndarray of 3 rows)" in "".join(caught.value.__notes__)
