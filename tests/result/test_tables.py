"""Tables of a result, here and in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maggy import Result, Searchspace, lagom, simulate
from maggy.config import HyperparameterOptConfig
from maggy.errors import ConfigError
from maggy.optimizer import Asha
from maggy.result.tables import COLUMNS
from maggy.searchspace import Choice, Space
from maggy.simulation import LearningCurve, Losses

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """Trials that are promoted, and run again after their worker has died, partly from a checkpoint."""
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
    config = HyperparameterOptConfig(
        40, Asha(3, resource_min=3, resource_max=9), space, direction="min", es_policy="none"
    )

    def curve(params):
        return LearningCurve([params["x"] + 1 / step for step in range(1, 10)])

    folder = tmp_path_factory.mktemp("lossy")
    settings = {"workers": 4, "seed": 3, "resumes": True, "losses": Losses(mtbf_s=10)}
    return simulate(config, curve, **settings, checkpoint_every=2, experiment_dir=folder)


def test_curves_have_each_point_that_counts_and_the_attempt_that_it_is_of(lossy):
    table = lossy.curves()
    assert list(table.columns) == ["trial_id", "attempt", "step", "metric", "time"]
    by_trial = dict(iter(table.groupby("trial_id")))
    assert list(by_trial) == sorted(by_trial)
    for number, trial in lossy.chronicle.trials.items():
        points = by_trial.get(number)
        assert list([] if points is None else points["step"]) == trial.step_history
        assert list([] if points is None else points["metric"]) == trial.metric_history
        if points is not None:
            assert points["attempt"].is_monotonic_increasing and points["time"].is_monotonic_increasing
            assert points["attempt"].max() <= trial.attempt
    assert table.groupby("trial_id")["attempt"].nunique().max() > 1
    told = Path(lossy.experiment_dir).glob("**/*.jsonl")
    reported = sum(record.count('"steps":') for journal in told for record in journal.read_text().splitlines())
    assert reported > len(table)  # some points were reported in vain


def test_curves_come_with_hyperparameters_on_demand(lossy):
    table = lossy.curves(params=True)
    x = {trial.trial_id: trial.params["x"] for trial in lossy.trials}
    assert (table["hp_x"] == table["trial_id"].map(x)).all()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_files_have_what_the_table_has(tmp_path, lossy, suffix):
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}
    lossy.export(tmp_path / f"trials.{suffix}")
    trials = readers[suffix](tmp_path / f"trials.{suffix}")
    assert list(trials.columns) == [*COLUMNS, "hp_x"]
    pd.testing.assert_series_equal(trials["metric"], lossy.to_pandas()["metric"])

    lossy.export(tmp_path / f"curves.{suffix}", curves=True)
    curves = readers[suffix](tmp_path / f"curves.{suffix}")
    assert list(curves["step"]) == list(lossy.curves()["step"])
    assert list(curves.columns) == ["trial_id", "attempt", "step", "metric", "time", "hp_x"]


def test_curves_of_trials_that_report_nothing_are_empty_and_can_be_written(tmp_path):
    config = HyperparameterOptConfig(
        2, "randomsearch", Searchspace(x=("DOUBLE", [0.0, 1.0])), es_policy="none", experiment_dir=tmp_path / "e"
    )
    result = lagom(lambda x: x, config, engine="inline", verbose=0)
    result.export(tmp_path / "curves.csv", curves=True)
    assert (tmp_path / "curves.csv").read_text() == "trial_id,attempt,step,metric,time\n"


def test_values_of_any_type_can_be_written(tmp_path):
    space = Space(size=Choice(1, "large", None), layers=[Choice(1, 2), 3], nested={"a": Choice(1, 2)})
    config = HyperparameterOptConfig(
        12, "randomsearch", space, direction="min", experiment_dir=tmp_path / "run", seed=1
    )
    result = lagom(lambda size, layers, nested: nested["a"], config, engine="inline", verbose=0)
    for suffix in ("csv", "parquet"):
        result.export(tmp_path / f"trials.{suffix}")
    table = pd.read_parquet(tmp_path / "trials.parquet")
    assert set(table["hp_size"].dropna()) <= {"1", "large", "null"}
    assert json.loads(table["hp_layers"][0]) == result.trials[0].params["layers"]
    assert json.loads(table["hp_nested"][0]) == result.trials[0].params["nested"]


def test_another_suffix_is_refused(tmp_path, lossy):
    with pytest.raises(ConfigError, match=r"as \.csv, \.parquet or \.json, not as '\.xls'"):
        lossy.export(tmp_path / "trials.xls")


def test_a_result_without_a_trial_has_empty_tables_with_the_same_columns():
    empty = Result({}, trials=[], best=None, experiment_dir="", interrupted=True)
    assert list(empty.to_pandas().columns) == list(COLUMNS)


def test_a_notebook_shows_the_best_trials_in_a_table(lossy):
    page = lossy._repr_html_()
    assert f"best {lossy['best_val']:.6g}" in page
    assert page.index(f"<td>{lossy.ranked[0].trial_id}</td>") < page.index(f"<td>{lossy.ranked[1].trial_id}</td>")
    assert page.count("<tr>") == 11
    assert "best 10 of" in page
