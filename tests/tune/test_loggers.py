"""Loggers: each candidate as a run of a tracking service."""

from __future__ import annotations

import importlib.util

import pandas as pd
import pytest

from maggy.errors import ConfigError, UnknownNameError
from maggy.tracking.metric_logger import CURVE, OBJECTIVE
from maggy.trial import flat
from maggy.tune import Grid, Rand, Space, optimize_noniterative, suggest_for_noniterative_objective
from maggy.tune.dataset import TuneDatasetBuilder
from maggy.tune.loggers import MetricLogger, to_logger
from maggy.worker.running import running

FOUR = Space(a=Grid(0, 1, 2, 3))


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Kept(MetricLogger):
    """Keeps what is written down."""

    def __init__(self, name="study"):
        super().__init__()
        self.name, self.children = name, []
        self.params, self.metrics, self.metadata, self.finished = {}, [], {}, None

    def create_child(self, name=None, description=None, is_step=False):
        self.children.append(Kept(name))
        return self.children[-1]

    def log_params(self, params):
        self.params |= params

    def log_metrics(self, metrics, step=None):
        self.metrics.append((metrics, step))

    def log_metadata(self, metadata):
        self.metadata |= metadata

    def finish(self, failed=False):
        assert self.finished is None
        self.finished = "failed" if failed else "finished"


def suggest(objective, space=FOUR, **settings):
    return suggest_for_noniterative_objective(objective, space, verbose=0, **settings)


def test_each_candidate_is_a_run_and_the_best_is_in_that_of_the_study():
    study = Kept()
    suggest(lambda a: (float(a), {"twice": 2 * a, "model": "m"}), logger=study)
    assert len(study.children) == 4
    for child in study.children:
        a = child.params["a"]
        assert child.metrics == [({OBJECTIVE: a, "twice": 2 * a}, None)]
        assert (child.metadata, child.finished) == ({"twice": 2 * a, "model": "m"}, "finished")
    assert (study.params, study.metrics) == ({"a": 0}, [({OBJECTIVE: 0.0, "twice": 0.0}, None)])
    assert study.finished == "finished"
    assert len({study.unique_id, *(child.unique_id for child in study.children)}) == 5


def test_metadata_that_no_message_can_hold_is_written_down_as_text():
    study = Kept()
    [report] = suggest(lambda a: (float(a), {"model": "m", "seen": {a}}), Space(a=1), logger=study)
    assert report.metadata == {"model": "m", "seen": {1}}
    assert study.children[0].metadata == {"model": "m", "seen": "{1}"}


def test_a_candidate_that_fails_is_a_run_that_has_failed():
    def objective(a):
        if a == 2:
            raise ValueError("no luck")
        return a

    study = Kept()
    dataset = TuneDatasetBuilder(FOUR).build()
    optimize_noniterative(objective, dataset, logger=lambda: study, verbose=0)
    assert {child.params["a"]: child.finished for child in study.children} == {
        0: "finished",
        1: "finished",
        2: "failed",
        3: "finished",
    }


def test_keys_of_a_partition_are_parameters_and_what_was_searched_is_known_in_the_end():
    study = Kept()
    table = pd.DataFrame({"k": ["x", "y"]})
    space = Space(a=Grid(1, 2), b=Rand(0, 1))
    settings = {"df": table, "partition_keys": ["k"], "local_optimizer": "tpe:3", "logger": study}
    best = suggest(lambda a, b, df: a + b, space, **settings)
    assert {(child.params["k"], child.params["a"]) for child in study.children} == {
        (k, a) for k in "xy" for a in (1, 2)
    }
    assert study.params == min(best, key=lambda report: report.metric).params.simple_value
    assert all(0 <= child.params["b"] <= 1 for child in study.children)


def test_what_an_objective_reports_while_it_runs_is_a_curve():
    def objective(a):
        for step in range(3):
            running().broadcast(a / (step + 1), step=step)
        return a

    study = Kept()
    suggest(objective, Space(a=Grid(6)), logger=study)
    assert study.children[0].metrics == [
        *(({CURVE: value}, step) for step, value in enumerate((6.0, 3.0, 2.0))),
        ({OBJECTIVE: 6.0}, None),
    ]


def test_a_service_that_fails_is_said_once_and_takes_nothing_from_the_study(capsys):
    class Away(Kept):
        def create_child(self, name=None, description=None, is_step=False):
            raise ConnectionError("nobody there")

    best = suggest_for_noniterative_objective(lambda a: a, FOUR, logger=Away())
    assert best[0].metric == 0
    assert capsys.readouterr().err.count("nobody there") == 1


def test_a_logger_is_a_context():
    with Kept() as good:
        pass
    assert good.finished == "finished"
    bad = Kept()
    with pytest.raises(ValueError, match="no"), bad:
        raise ValueError("no")
    assert bad.finished == "failed"
    with MetricLogger() as plain:  # does nothing, and may be used all the same
        plain.create_child().log_metric("m", 1.0)


def test_nested_values_get_names_with_dots():
    assert flat({"model": {"lr": 1, "net": {"depth": 2}}, "a": [3]}) == {"model.lr": 1, "model.net.depth": 2, "a": [3]}


def test_loggers_have_names():
    assert to_logger(None) is None
    with pytest.raises(UnknownNameError, match=r"unknown logger 'mlfow:x'\. Did you mean 'mlflow'"):
        to_logger("mlfow:x")
    with pytest.raises(ConfigError, match=r"logger is e\.g\. 'mlflow'"):
        to_logger(3)


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="mlflow is there")
def test_a_service_whose_package_is_missing_is_said_before_anything_starts(tmp_path):
    with pytest.raises(ConfigError, match=r"logger='mlflow:x' needs mlflow: pip install 'maggy\[mlflow\]'"):
        suggest(lambda a: a, logger="mlflow:x")
    assert not (tmp_path / "maggy-runs").exists()
