"""Data of every form, handed over by `lagom` to workers in processes of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch.utils.data import Dataset

from maggy import Searchspace, lagom
from maggy.config import BaseConfig, HyperparameterOptConfig
from maggy.errors import ConfigError, ResumeError

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


def added(x, train_set):
    return float(sum(np.sum(part) for part in train_set))


def begun(tmp_path, **data):
    """A search for two trials, which has ended."""
    config = HyperparameterOptConfig(2, "randomsearch", X, experiment_dir=tmp_path / "run", seed=1, **data)
    lagom(added, config, engine="inline", verbose=0)
    return replace(config, num_trials=3)


def metrics(result):
    return [trial.final_metric for trial in sorted(result.trials, key=lambda trial: trial.trial_id)]


def test_data_of_another_size_are_noticed_when_an_experiment_is_resumed(tmp_path):
    config = begun(tmp_path, train_set=[np.zeros(3), pd.Series([1])])
    changed = replace(config, train_set=[np.zeros(4), pd.DataFrame({"a": [1], "b": [2]})])
    with pytest.raises(ResumeError) as caught:
        lagom(added, changed, resume=tmp_path / "run", verbose=0)
    assert caught.value.differences["train_set"] == (
        "['numpy.ndarray of 3 rows', 'pandas.Series of 1 rows'] -> "
        "['numpy.ndarray of 4 rows', 'pandas.DataFrame of 1 rows and 2 columns']"
    )


@pytest.mark.parametrize("how", ["a config", "a keyword"])
def test_an_experiment_that_is_resumed_by_force_uses_the_data_that_are_given_now(tmp_path, how):
    config, changed = begun(tmp_path, train_set=np.zeros(3)), np.ones(3)
    settings = {"resume": tmp_path / "run", "force": True, "engine": "inline", "verbose": 0}
    if how == "a config":
        result = lagom(added, replace(config, train_set=changed), **settings)
    else:
        result = lagom(num_trials=3, train_set=changed, **settings)
    assert metrics(result) == [0, 0, 3]


def test_a_file_that_is_gone_is_named_before_a_resumed_experiment_starts(tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    config = HyperparameterOptConfig(
        2, "randomsearch", X, train_set=tmp_path / "rows.csv", experiment_dir=tmp_path / "run"
    )
    lagom(lambda x, train_set: train_set.count_rows(), config, engine="inline", verbose=0)
    assert len(lagom(resume=tmp_path / "run", engine="inline", verbose=0).trials) == 2
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(ConfigError, match=r"train_set='.*rows.csv': there is no "):
        lagom(resume=tmp_path / "run", num_trials=3, force=True, engine="inline", verbose=0)


def test_a_model_whose_code_has_changed_is_noticed(tmp_path):
    def small():
        return 1

    def large():
        return 2

    def train(x, model, dataset):
        return model() + dataset["make"]()

    given = {"experiment_dir": tmp_path / "run", "seed": 1}
    config = HyperparameterOptConfig(2, "randomsearch", X, model=small, dataset={"make": small}, **given)
    lagom(train, config, engine="inline", verbose=0)
    for change in ({"model": large}, {"dataset": {"make": large}}):
        with pytest.raises(ResumeError, match=r"\+def large\(\):"):
            lagom(train, replace(config, **change), resume=tmp_path / "run", engine="inline", verbose=0)
    assert len(lagom(resume=tmp_path / "run", lost_limit=7, engine="inline", verbose=0).trials) == 2


def test_what_is_in_the_data_is_in_no_description(tmp_path, monkeypatch):
    patients = [{"name": "Ada Lovelace"}] * 1000
    config = BaseConfig(train_set=patients, test_set={"rows": patients}, dataset=["rows.csv"], experiment_dir="run")
    (tmp_path / "rows.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    lagom(lambda train_set: len(train_set), config, engine="inline", verbose=0)
    text = (tmp_path / "run/experiment.json").read_text()
    assert "Ada" not in text
    described = json.loads(text)["config"]
    assert (described["train_set"], described["test_set"]) == ("builtins.list", "builtins.dict")
    assert described["dataset"] == ["rows.csv"]


def test_a_text_that_is_no_path_ends_the_experiment_before_it_starts(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset='iris': there is no .*A text is taken as the path"):
        lagom(lambda dataset: 1, BaseConfig(dataset="iris", experiment_dir=tmp_path / "run"), verbose=0)
    assert not (tmp_path / "run").exists()
