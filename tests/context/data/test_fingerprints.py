"""Whether two experiments had the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maggy.context import fingerprint, materialise


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(value, folder):
    return fingerprint(materialise("train_set", value, folder))


def test_the_same_data_have_the_same_fingerprint_in_another_folder_and_others_have_not():
    a, b, c = (written(np.arange(n), str(Path(folder).absolute())) for n, folder in ((9, "a"), (9, "b"), (8, "c")))
    assert a == b
    assert a["of"] == "content" and a["bytes"] > 72
    assert a["sha256"] != c["sha256"]


def test_things_in_a_container_have_one_each_and_what_is_made_by_a_function_has_none():
    told = written({"x": np.zeros(3), "y": np.zeros(3)}, str(Path("a").absolute()))
    assert told["x"] == told["y"]
    assert fingerprint(lambda: np.zeros(3)) is None


def test_of_large_files_the_ends_are_looked_at_and_of_very_many_only_the_sizes(monkeypatch):
    monkeypatch.setattr("maggy.context.data.fingerprints._SAMPLE_BYTES", 1000)
    large = np.zeros(10_000, dtype=np.uint8)
    whole = written(large, str(Path("a").absolute()))
    middle, end = large.copy(), large.copy()
    middle[5000], end[-1] = 1, 1
    assert whole["of"] == "samples"
    assert written(middle, str(Path("b").absolute())) == whole
    assert written(end, str(Path("c").absolute())) != whole
    monkeypatch.setattr("maggy.context.data.fingerprints._BUDGET_BYTES", 100)
    assert written(end, str(Path("d").absolute()))["of"] == "sizes"
