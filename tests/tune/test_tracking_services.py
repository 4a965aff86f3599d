"""Real stores of MLflow and Weights & Biases; `make test-trackers` has them."""

from __future__ import annotations

import pytest

from maggy.tune import Grid, Space, optimize_noniterative, suggest_for_noniterative_objective
from maggy.tune.dataset import TuneDatasetBuilder

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own use of SQLAlchemy

SPACE = Space(a=Grid(1, 2), model={"depth": Grid(3)})


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def objective(a, model):
    if a == 2:
        raise ValueError("no luck")
    return a * model["depth"], {"R2 (test)": 0.5, "kind": "tree"}


@pytest.fixture
def mlflow(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield mlflow
    mlflow.set_tracking_uri(before)


def test_a_study_in_mlflow(mlflow):
    dataset = TuneDatasetBuilder(SPACE).build()
    optimize_noniterative(objective, dataset, logger="mlflow:houses", verbose=0)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("houses")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    study = runs.pop("tune")
    assert (study.info.status, study.data.metrics["OBJECTIVE_METRIC"], study.data.params["a"]) == ("FINISHED", 3.0, "1")
    by_a = {run.data.params["a"]: run for run in runs.values()}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {study.info.run_id}
    assert (by_a["1"].info.status, by_a["2"].info.status) == ("FINISHED", "FAILED")
    assert by_a["1"].data.params == {"a": "1", "model.depth": "3"}
    assert by_a["1"].data.metrics == {"OBJECTIVE_METRIC": 3.0, "R2 _test_": 0.5}
    assert by_a["1"].data.tags["kind"] == "tree"
    assert mlflow.active_run() is None


def test_a_study_within_the_active_run_of_mlflow(mlflow):
    with mlflow.start_run() as mine:
        suggest_for_noniterative_objective(lambda a: a, Space(a=Grid(1, 2)), logger="mlflow", verbose=0)
        assert mlflow.active_run().info.run_id == mine.info.run_id
        mlflow.log_metric("after", 1)
    client = mlflow.MlflowClient()
    runs = client.search_runs([mine.info.experiment_id])
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == mine.info.run_id]
    assert (len(runs), len(children)) == (3, 2)
    assert client.get_run(mine.info.run_id).data.metrics == {"OBJECTIVE_METRIC": 1.0, "after": 1.0}


def test_a_study_in_wandb(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    begun, ended = [], {}
    init, finish = wandb.init, wandb.Run.finish

    def beginning(**about):
        begun.append(init(**about))
        return begun[-1]

    def finishing(run, exit_code=None, **settings):
        ended[run.id] = dict(run.summary), exit_code  # it cannot be read later
        finish(run, exit_code, **settings)

    monkeypatch.setattr(wandb, "init", beginning)
    monkeypatch.setattr(wandb.Run, "finish", finishing)
    dataset = TuneDatasetBuilder(SPACE).build()
    optimize_noniterative(objective, dataset, logger="wandb:houses", verbose=0)
    study, *children = begun
    assert {run.project for run in begun} == {"houses"} and len({run.group for run in begun}) == 1
    assert (study.job_type, [run.job_type for run in children]) == ("study", ["trial", "trial"])
    by_a = {run.config["a"]: run for run in children}
    assert study.config["model.depth"] == by_a[2].config["model.depth"] == 3
    summary, code = ended[study.id]
    assert (summary["OBJECTIVE_METRIC"], summary["R2 (test)"], summary["kind"], code) == (3.0, 0.5, "tree", 0)
    assert (ended[by_a[1].id][1], ended[by_a[2].id][1]) == (0, 1)
    assert len(list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))) == 3
