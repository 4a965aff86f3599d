"""An experiment in the background, and one that others ask to stop."""

from __future__ import annotations

import threading

import pytest

from maggy import Searchspace, lagom
from maggy.brain.events import MetricsReported
from maggy.chronicle import Chronicle
from maggy.config import HyperparameterOptConfig
from maggy.errors import ExperimentFailedError, SignatureError
from maggy.journal import ExperimentFolder, read
from maggy.journal.control import Request, ask
from maggy.resuming import replay_experiment
from maggy.tracking.tracker import Tracker
from maggy.trial import TrialState

PATIENCE_S = 60


class Reports(Tracker):
    """Says when a trial has reported for the first time."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.trial = -1

    def see(self, record) -> None:
        if isinstance(record.event, MetricsReported) and not self.came.is_set():
            self.trial = record.event.trial
            self.came.set()


def train(x, reporter):
    if x == 0:
        return 0.0
    step = 0
    while True:  # until somebody stops it
        reporter.broadcast(float(x), step)
        step += 1


def config(folder, values, trials=None):
    return HyperparameterOptConfig(
        trials or len(values), "gridsearch", Searchspace(x=("DISCRETE", values)), experiment_dir=folder, num_workers=1
    )


def test_it_runs_in_the_background_says_where_it_stands_and_stops(tmp_path, capsys):
    reports = Reports()
    run = lagom(train, config(tmp_path / "run", [0, 1]), engine="local", track=reports, block=False)
    assert reports.came.wait(PATIENCE_S)
    assert not run.done
    assert run.experiment_dir == str(tmp_path / "run")
    while (status := run.status())["running"] != 1 or status["ended"] != 1:
        threading.Event().wait(0.01)
    assert (status["state"], status["best"], status["num_trials"], status["workers"]) == ("running", 0.0, 2, 1)
    assert "1 of 2 trials" in repr(run)
    with pytest.raises(TimeoutError, match=r"still runs after 0\.01 s"):
        run.result(timeout=0.01)
    run.stop()
    result = run.result(timeout=PATIENCE_S)
    assert run.done and result.interrupted
    assert run.status()["state"] == "interrupted"
    assert (result.trials[0].state, result.best.trial_id) == (TrialState.FINISHED, 0)
    assert "stopped by run.stop()" in [
        getattr(record.event, "reason", "") for record in read(ExperimentFolder.open(tmp_path / "run"))
    ]
    again = lagom(resume=tmp_path / "run", engine="inline", train_fn=lambda x: float(x), force=True, verbose=0)
    assert len(again.trials) == 2


def test_bad_input_is_an_error_at_once(tmp_path):
    with pytest.raises(SignatureError):
        lagom(lambda y: y, config(tmp_path / "run", [1]), engine="local", block=False)


def test_what_lagom_would_have_raised_is_raised_by_result(tmp_path):
    def broken(x):
        raise ValueError("broken")

    run = lagom(broken, config(tmp_path / "run", [1, 2, 3, 4, 5]), engine="inline", verbose=0, block=False)
    with pytest.raises(ExperimentFailedError, match="broken"):
        run.result(timeout=PATIENCE_S)
    assert run.status()["state"] == "failed"
    assert "broken" in run.status()["error"]


def test_a_file_under_control_stops_one_trial_and_the_journal_says_who_asked(tmp_path):
    reports = Reports()
    run = lagom(train, config(tmp_path / "run", [1, 0]), engine="local", track=reports, verbose=0, block=False)
    assert reports.came.wait(PATIENCE_S)
    folder = ExperimentFolder.open(tmp_path / "run")
    ask(folder, Request(do="stop", trial=99, by="ada"))  # there is none: nothing happens
    ask(folder, Request(do="stop", trial=reports.trial, by="ada"))
    result = run.result(timeout=PATIENCE_S)
    assert not result.interrupted
    stopped = result.trials[0]
    assert (stopped.state, stopped.reason, stopped.final_metric) == (TrialState.STOPPED, "asked for by ada", 1.0)
    assert [trial.state for trial in result.trials] == [TrialState.STOPPED, TrialState.FINISHED]
    assert not (tmp_path / "run" / "trials" / "99").exists()
    told, _ = replay_experiment(tmp_path / "run")
    assert told.differences == []
    assert any("asked for by ada" in decision.text for decision in Chronicle.of(tmp_path / "run").decisions)


def test_a_file_under_control_ends_the_experiment(tmp_path):
    reports = Reports()
    run = lagom(train, config(tmp_path / "run", [0, 1]), engine="local", track=reports, verbose=0, block=False)
    assert reports.came.wait(PATIENCE_S)
    ask(ExperimentFolder.open(tmp_path / "run"), Request(do="stop", by="ada"))
    result = run.result(timeout=PATIENCE_S)
    assert result.interrupted
    assert result.best.params == {"x": 0}


@pytest.mark.spark
def test_on_spark_the_background_frees_every_task_when_it_is_stopped(tmp_path, spark):
    from maggy.engine.spark import SparkEngine

    reports = Reports()
    run = lagom(
        train, config(tmp_path / "run", [0, 1]), engine=SparkEngine(spark), track=reports, verbose=0, block=False
    )
    assert reports.came.wait(PATIENCE_S)
    run.stop()
    assert run.result(timeout=PATIENCE_S).interrupted
    assert spark.sparkContext.statusTracker().getActiveJobsIds() == []
    assert spark.range(10).count() == 10
