"""Data of every form, handed over by `lagom` to workers in processes of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch.utils.data import Dataset

from maggy import Searchspace, lagom
from maggy.config import BaseConfig, HyperparameterOptConfig
from maggy.errors import ConfigError

X = Searchspace(x=("INTEGER", [1, 4]))


class Squares(Dataset):
    """A class of a module that is on no other machine."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return index**2


def test_each_form_arrives_in_a_worker_as_documented(tmp_path, monkeypatch):
    frame = pd.DataFrame({"a": [1, 2], "kind": pd.Categorical(["x", "y"])})
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "rows.parquet")
    (tmp_path / "rows.csv").write_text("a\n1\n2\n3\n4\n")
    monkeypatch.chdir(tmp_path)

    def train(dataset, train_set, test_set):
        frame, table = dataset
        x, y = train_set["arrays"]
        assert str(frame.dtypes["kind"]) == "category" and x.shape == (3, 2) and list(y) == [0, 1, 0]
        return {
            "Metric": 1.0,
            "sums": [int(frame["a"].sum()), table.num_rows, sum(train_set["squares"][i] for i in range(4))],
            "rows": [part.count_rows() for part in test_set],
        }

    config = BaseConfig(
        dataset=[frame, pa.table({"a": [1]})],
        train_set={"arrays": (np.ones((3, 2)), np.array([0, 1, 0])), "squares": Squares()},
        test_set=["rows.parquet", Path("rows.csv")],
        experiment_dir=tmp_path / "run",
        num_workers=1,
    )
    result = lagom(train, config, engine="local", verbose=0)

    assert result.trials[0].metric_dict == {"Metric": 1.0, "sums": [3, 1, 14], "rows": [3, 4]}
    kept = {path.parent.name: path.name for path in (tmp_path / "run/data").rglob("*") if path.name[0] not in "._"}
    assert set(kept) - {"data"} == {"dataset-0", "dataset-1", "train_set-0-0", "train_set-0-1", "train_set-1"}


def test_data_on_a_store_reach_a_worker(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    frame = pd.DataFrame({"a": np.arange(1000.0)})
    config = BaseConfig(train_set=[frame, np.arange(10)], experiment_dir=f"{s3}/run", num_workers=1)

    result = lagom(lambda train_set: train_set[0]["a"].sum() + train_set[1].sum(), config, engine="local", verbose=0)

    assert result == {"test result": 499500.0 + 45}


def test_an_experiment_that_is_resumed_finds_its_data_where_its_folder_is_now(tmp_path):
    config = HyperparameterOptConfig(
        2, "randomsearch", X, dataset=np.arange(10), experiment_dir=tmp_path / "run", num_workers=1
    )
    lagom(lambda x, dataset: x * dataset.sum(), config, engine="inline", verbose=0)
    (tmp_path / "run").rename(tmp_path / "moved")

    result = lagom(resume=tmp_path / "moved", force=True, num_trials=4, engine="local", verbose=0)

    assert [trial.final_metric for trial in result.trials] == [45 * trial.params["x"] for trial in result.trials]
    assert len(result.trials) == 4


def test_a_text_that_is_no_path_ends_the_experiment_before_it_starts(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset='iris': there is no .*A text is taken as the path"):
        lagom(lambda dataset: 1, BaseConfig(dataset="iris", experiment_dir=tmp_path / "run"), verbose=0)
    assert not (tmp_path / "run").exists()
