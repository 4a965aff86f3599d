"""Commands that look at experiments, and reach into one that is running."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from maggy import Searchspace, lagom
from maggy.chronicle import Chronicle
from maggy.cli import main
from maggy.cli.settings import assigned
from maggy.config import HyperparameterOptConfig
from maggy.errors import ExperimentFailedError
from maggy.optimizer import Asha
from maggy.trial import TrialState


def told(capsys, *arguments, status=0):
    """What a command says as JSON."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def shown(capsys, *arguments):
    capsys.readouterr()
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def search(trials=2, **settings):
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
    return HyperparameterOptConfig(trials, "randomsearch", space, seed=5, es_policy="none", **settings)


def fail(config):
    with pytest.raises(ExperimentFailedError):
        lagom(lambda x: 1 / 0, config, engine="inline", verbose=0)


# --- those that are over


def test_experiments_are_listed_wherever_they_lie_below_a_folder(recorded, capsys):
    fail(search(experiment_dir="runs/deep/down", name="hopeless"))
    Path("runs/begun").mkdir()
    Path("runs/begun/experiment.json").touch()
    (hopeless, never) = sorted(told(capsys, "list", "runs"), key=lambda each: each["folder"], reverse=True)
    assert (hopeless["name"], hopeless["state"], hopeless["ended"], hopeless["best"]) == ("hopeless", "failed", 2, None)
    assert hopeless["folder"] == "runs/deep/down"
    assert never == {"state": "never began", "folder": "runs/begun"}

    (found,) = told(capsys, "list", recorded)
    best = Chronicle.of(recorded).tally.best
    assert (found["name"], found["state"], found["trials"], found["best"]) == ("hill", "complete", 6, best)
    said = shown(capsys, "list", recorded)
    assert said.splitlines()[0].split() == ["NAME", "STATE", "TRIALS", "BEST", "STARTED", "TOOK", "FOLDER"]
    assert "6/6" in said and f"{best:.6g}" in said


def test_a_terminal_gets_a_table(capsys, monkeypatch, recorded):
    """Drawn for its width, and in it only the last column is broken into lines."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["list", recorded]) == 0
    head, row, *_ = capsys.readouterr().out.splitlines()
    assert "name" in head and "folder" in head
    assert row.startswith("hill") and "complete" in row


def test_a_folder_that_is_not_there_is_an_error_and_an_empty_one_is_not(capsys):
    assert main(["list"]) == 2
    assert "there is no folder 'maggy-runs'" in capsys.readouterr().err
    Path("maggy-runs").mkdir()
    assert shown(capsys, "list") == "no experiment in maggy-runs\n"
    assert told(capsys, "list") == []


def test_experiments_on_a_store_are_found_there(capsys):
    lagom(lambda x: x, search(experiment_dir="memory://looking/a/1"), engine="inline", verbose=0)
    (found,) = told(capsys, "list", "memory://looking")
    assert (found["folder"], found["state"]) == ("memory://looking/a/1", "complete")
    assert told(capsys, "best", "memory://looking/a/1")["trial"] == found["best_trial"]
    assert main(["show", "memory://looking/a/1"]) == 0


def test_show_tells_what_was_run_with_what_and_how_it_went(recorded, capsys):
    facts = told(capsys, "show", recorded, "--trials", "3")
    assert facts["trials"] == {"of": 6, "ended": 6, "running": 0, "finished": 6}
    assert facts["function"] == "train.train"
    assert (facts["seed"], facts["engine"], facts["state"]) == (5, "local", "complete")
    assert facts["best"] == facts["listed"][0]
    metrics = [trial["metric"] for trial in facts["listed"]]
    assert metrics == sorted(metrics, reverse=True) and len(metrics) == 3
    by_number = told(capsys, "show", recorded, "--sort", "trial")["listed"]
    assert [trial["trial"] for trial in by_number] == [0, 1, 2, 3, 4, 5]

    said = shown(capsys, "show", recorded)
    for words in ("train.train", "x double [0.0, 1.0]", "randomsearch", "local, 1 worker", "6 of 6 ended, 6 finished"):
        assert words in said


def test_show_tells_everything_about_a_trial(recorded, capsys):
    facts = told(capsys, "show", recorded, "--trial", "2")
    trial = Chronicle.of(recorded).trials[2]
    assert facts["params"] == trial.params
    assert facts["outputs"] == {"Metric": trial.final_metric, "steps": 4}
    assert facts["curve"] == {"steps": [0, 1, 2, 3], "values": trial.metric_history}
    assert facts["log"] == [f"trained with {trial.params['x']}"]
    assert [run["attempt"] for run in facts["runs"]] == [0]
    said = shown(capsys, "show", recorded, "--trial", "2")
    assert "▁" in said and "█" in said and "4 points" in said
    assert main(["show", recorded, "--trial", "6"]) == 2
    assert "has no trial 6: the last one is trial 5" in capsys.readouterr().err


def test_show_has_the_traceback_of_a_trial_that_failed(capsys):
    fail(search(1, experiment_dir="run"))
    said = shown(capsys, "show", "run", "--trial", "0")
    assert "failed" in said and "Traceback" in said and "ZeroDivisionError: division by zero" in said
    assert main(["best", "run"]) == 2
    assert "no trial of run has a result yet" in capsys.readouterr().err


def test_the_best_is_that_of_the_result_where_a_trial_became_worse_after_its_promotion(capsys):
    config = HyperparameterOptConfig(
        12, Asha(resource_max=4), Searchspace(x=("DOUBLE", [0.0, 1.0])), seed=5, es_policy="none", experiment_dir="e"
    )
    result = lagom(lambda x, budget: x - (10 if budget > 2 else 0), config, engine="inline", verbose=0)
    assert any(trial.rungs[0][1] > result["best_val"] for trial in result.trials)  # at the least budget
    best, facts = told(capsys, "best", "e"), told(capsys, "show", "e")["best"]
    assert (
        (best["trial"], best["metric"]) == (facts["trial"], facts["metric"]) == (result["best_id"], result["best_val"])
    )


def test_text_that_looks_like_something_else_is_still_text_when_it_is_run_again(capsys):
    space = Searchspace(a=("CATEGORICAL", ["none"]), b=("CATEGORICAL", ["1"]), c=("CATEGORICAL", ["a b"]))
    config = HyperparameterOptConfig(1, "randomsearch", space, es_policy="none", experiment_dir="e")
    result = lagom(lambda a, b, c: 1.0, config, engine="inline", verbose=0)
    params = shlex.split(shown(capsys, "best", "e", "--params"))
    assert assigned(params) == result["best_config"] == {"a": "none", "b": "1", "c": "a b"}


def test_the_best_configuration_can_be_run_again(recorded, capsys):
    best = told(capsys, "best", recorded)
    params = shown(capsys, "best", recorded, "--params").split()
    assert told(capsys, "best", recorded, "--params") == best["params"]
    result = told(capsys, "run", "train.py:train", "--engine", "inline", "-q", "--hparams", *params)
    assert result["test result"] == best["metric"]


def test_trials_and_curves_are_exported_as_tables(recorded, capsys):
    import pandas as pd

    trials = Chronicle.of(recorded).trials
    for name, read_table in (("csv", pd.read_csv), ("parquet", pd.read_parquet), ("json", pd.read_json)):
        assert shown(capsys, "export", recorded, "-o", f"trials.{name}") == f"6 rows in trials.{name}\n"
        table = read_table(f"trials.{name}").sort_values("trial_id")
        assert list(table["hp_x"]) == pytest.approx([trial.params["x"] for trial in trials.values()], abs=1e-12)
        assert list(table["metric"]) == pytest.approx([trial.final_metric for trial in trials.values()])
        assert set(table["state"]) == {"finished"}
    assert told(capsys, "export", recorded, "--curves", "-o", "curves.csv") == {"rows": 24, "output": "curves.csv"}
    curves = pd.read_csv("curves.csv")
    assert list(curves[curves.trial_id == 3].metric) == pytest.approx(trials[3].metric_history)
    assert set(curves[curves.trial_id == 3].hp_x) == {trials[3].params["x"]}
    assert shown(capsys, "export", recorded).startswith("trial_id,state,metric,")
    assert [row["trial_id"] for row in told(capsys, "export", recorded)] == list(range(6))
    for output, says in (("trials.xls", "not as '.xls'"), ("nowhere/trials.csv", "cannot be written")):
        assert main(["export", recorded, "-o", output]) == 2
        assert says in capsys.readouterr().err


def test_logs_are_those_of_one_trial_or_of_all(recorded, capsys):
    x = [trial.params["x"] for trial in Chronicle.of(recorded).trials.values()]
    assert shown(capsys, "logs", recorded, "3") == f"trained with {x[3]}\n"
    assert shown(capsys, "logs", recorded).splitlines() == [f"[trial {n}] trained with {x[n]}" for n in range(6)]
    assert shown(capsys, "logs", recorded, "-n", "1") == f"[trial 5] trained with {x[5]}\n"
    assert shown(capsys, "logs", recorded, "-f", "-n", "0") == ""
    assert told(capsys, "logs", recorded, "0") == {"trial": 0, "line": f"trained with {x[0]}"}
    assert main(["logs", recorded, "17"]) == 2
    assert "no log of trial 17" in capsys.readouterr().err


def test_nobody_has_to_read_to_the_end(recorded):
    command = [sys.executable, "-m", "maggy", "completion", "bash"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


# --- those that run


def wait_for_a_word(x, reporter):
    """Reports until somebody stops it."""
    import time

    print("begun", flush=True)
    for step in range(10_000):
        reporter.broadcast(x, step)
        time.sleep(0.01)


@pytest.fixture
def running():
    """Two trials that go on until they are stopped, one after the other on one worker."""
    run = lagom(wait_for_a_word, search(experiment_dir="run", num_workers=1), engine="local", block=False, verbose=0)
    yield run
    run.stop()
    run.result(30)


def until(condition):
    import time

    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_trial_and_then_the_experiment_are_stopped_from_a_terminal(running, capsys, monkeypatch):
    until(Path("run/trials/0/output.log").exists)
    assert told(capsys, "list", "run")[0]["state"] == "running"
    assert main(["stop", "run", "--trial", "1"]) == 2
    assert "trial 1 is no trial; running: 0" in capsys.readouterr().err
    assert main(["stop", "run"]) == 2
    assert "nobody can be asked here; say --yes" in capsys.readouterr().err

    assert told(capsys, "stop", "run", "--trial", "0", "--yes")["trial"] == 0
    until(lambda: running.status().get("ended") == 1)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert main(["stop", "run"]) == 0
    assert "nothing was stopped" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert main(["stop", "run"]) == 0
    result = running.result(30)
    assert result.interrupted
    assert [trial.state for trial in result.trials] == [TrialState.STOPPED]
    assert "maggy stop" in result.trials[0].reason

    facts = told(capsys, "show", "run")
    assert facts["state"] == "interrupted"
    assert [trial["state"] for trial in facts["listed"]] == ["stopped", "unfinished"]
    assert main(["stop", "run", "--yes"]) == 2
    assert "it is interrupted" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_logs_are_followed_until_the_experiment_is_over(capsys):
    def train(x):
        import time

        for n in range(5):
            print("line", n, flush=True)
            time.sleep(0.1)
        return x

    run = lagom(train, search(1, experiment_dir="run"), engine="local", block=False, verbose=0)
    until(Path("run/trials/0/output.log").exists)
    assert main(["logs", "run", "-f"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"[trial 0] line {n}" for n in range(5)]
    run.result(30)
