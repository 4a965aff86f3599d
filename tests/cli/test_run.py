"""`maggy run`: from a command line to a result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.cli import main
from maggy.journal import ExperimentFolder, read


def run(*arguments):
    return main(["run", "train.py:train", "--engine", "inline", "-q", *arguments])


def begun(path):
    return json.loads(Path(path, "experiment.json").read_text())


def test_a_script_is_searched_on_workers_that_do_not_have_its_modules(capsys):
    """They get `train` and the `hill` beside it by value, and nobody runs the script as a program."""
    assert main(["run", "train.py:train", "--space", "space.toml", "--trials", "3", "--seed", "1", "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["num_trials"] == 3
    assert result["best_config"].keys() == {"x"}
    assert result["experiment_dir"] == str(Path("maggy-runs/train/1").absolute())
    assert "3 finished" in said.err
    assert "trained with" in Path("maggy-runs/train/1/trials/0/output.log").read_text()


def test_what_programs_print_that_the_script_starts_does_not_get_into_the_json():
    Path("loud.py").write_text("import os\ndef f():\n    os.system('echo loud')\n    return 1.0\n")
    command = [sys.executable, "-m", "maggy", "run", "loud.py:f", "--engine", "inline", "-q", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout)["test result"] == 1.0 and "loud" in said.stderr


def test_what_the_script_prints_here_does_not_get_into_the_json(capsys):
    assert run("--hparams", "x=0.5", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["test result"] == 1.0
    assert "trained with 0.5" in said.err


def test_a_single_run_takes_its_hyperparameters_as_python_would_read_them():
    Path("types.py").write_text("def f(hparams):\n    assert hparams == WANTED, hparams\n    return 1.0\n")
    wanted = {"a": 1, "b": 1e-3, "c": [1, 2], "d": True, "e": None, "f": "adam", "g": "1,5x", "h": 0.5}
    Path("types.py").write_text(f"WANTED = {wanted!r}\n" + Path("types.py").read_text())
    given = ["a=1", "b=1e-3", "c=[1, 2]", "d=true", "e=None", "f=adam", "g=1,5x", "h=.5"]
    assert main(["run", "types.py:f", "--engine", "inline", "-q", "--hparams", *given]) == 0


def test_the_command_line_wins_over_the_file():
    Path("elsewhere").mkdir()
    for name in ("train.py", "shape.py"):
        Path(name).rename(f"elsewhere/{name}")
    Path("elsewhere/all.toml").write_text(
        """
        [run]
        target = "train.py:train"
        engine = "inline"
        trials = 50
        optimizer = "asha:reduction_factor=3,resource_max=9"
        early-stopping = "percentile:percentile=30"
        resources = { cpu = 1 }
        direction = "min"
        seed = 3
        [space]
        x = { type = "double", values = [0, 1] }
        """
    )
    assert main(["run", "--config", "elsewhere/all.toml", "--trials", "2", "--dir", "out", "-q"]) == 0
    about = begun("out")
    assert about["num_trials"] == 2
    assert about["seed"] == 3
    assert about["config"]["optimizer"].endswith("Asha(reduction_factor=3, resource_max=9)")
    assert about["config"]["es_policy"].endswith("PercentileStoppingRule(percentile=30)")
    assert about["config"]["resources_per_worker"] == {"cpu": 1}
    assert about["objectives"] == [{"key": "Metric", "direction": "min"}]
    assert about["config"]["name"] == "train"


def test_several_metrics_are_several_objectives():
    space = ["--space", "space.toml", "--trials", "2", "--dir", "out"]
    assert run(*space, "--metric", "Metric", "--metric", "steps", "--direction", "max", "--direction", "min") == 0
    assert begun("out")["objectives"] == [
        {"key": "Metric", "direction": "max"},
        {"key": "steps", "direction": "min"},
    ]


def test_a_module_is_found_from_where_the_command_runs():
    Path("package").mkdir()
    Path("package/models.py").write_text("class Net:\n    @staticmethod\n    def train(x):\n        return x\n")
    assert main(["run", "package.models:Net.train", "--hparams", "x=2", "--engine", "inline", "-q"]) == 0
    assert json.loads(Path("maggy-runs/models/1/result.json").read_text()) == {"test result": 2.0}


def test_a_script_may_be_called_like_a_module_that_is_loaded():
    Path("json.py").write_text("def f():\n    return 1.0\n")
    assert main(["run", "json.py:f", "--engine", "inline", "-q"]) == 0
    assert hasattr(json, "dumps")


def test_a_run_without_any_result_is_an_error():
    assert run("--hparams", "x=0.99") == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train.py"], "'train.py' does not say which function: script.py:train"),
        (["train.py:tarin"], "unknown function of train.py 'tarin'. Did you mean 'train'?"),
        (["train.py:CALLS"], "'train.py:CALLS' is no function, but []"),
        (["nowhere.py:f"], "there is no script 'nowhere.py'"),
        (["no.such.module:f"], "there is no module 'no.such.module' here"),
        (["broken.py:f"], "ZeroDivisionError: division by zero"),
        ([], "say what to run: maggy run script.py:train"),
        (["train.py:train", "--trials", "3", "--optimizer", "tpe"], "--trials, --optimizer: for a search, say what"),
        (["train.py:train", "--space", "space.toml"], "--trials 20"),
        (["train.py:train", "--space", "space.toml", "--trials", "0"], "num_trials has to be a whole number"),
        (["train.py:train", "--space", "space.toml", "--trials", "3", "--hparams", "y=1"], "is for a single run"),
        (["train.py:train", "--space", "space.toml", "--trials", "3", "--optimizer", "tpee"], "Did you mean 'tpe'?"),
        (
            ["train.py:train", "--space", "space.toml", "--trials", "3", "--optimizer", "asha:eta=3"],
            "Its options are reduction_factor, resource_min",
        ),
        (["train.py:train", "--hparams", "x"], "expected name=value, got 'x'"),
        (["train.py:train", "--hparams", "z=1"], "train() asks for 'x'"),
        (["train.py:train", "--hparams", "x=1", "--engine", "sparc"], "Did you mean 'spark'?"),
        (["train.py:train", "--space", "nowhere.toml", "--trials", "3"], "'nowhere.toml' cannot be read"),
        (["--config", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--config", "typo.toml"], "unknown key of [run] in typo.toml 'trails'. Did you mean 'trials'?"),
        (["--config", "wrong.toml"], "wrong.toml: in [space]: hyperparameter 'x' has no 'values'"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(arguments, says, capsys):
    Path("broken.py").write_text("def f():\n    return 1\n\n1 / 0\n")
    Path("typo.toml").write_text("[run]\ntrails = 3\n")
    Path("wrong.toml").write_text('[space]\nx = { type = "double" }\n')
    assert main(["run", *arguments]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("maggy run: ")
    assert said.out == ""
    assert not Path("maggy-runs").exists()


def test_an_error_of_the_script_is_shown_from_its_own_lines_on(capsys):
    Path("broken.py").write_text("def f():\n    return 1\n\n1 / 0\n")
    assert main(["run", "broken.py:f"]) == 2
    said = capsys.readouterr().err
    assert "broken.py cannot be loaded" in said
    assert 'broken.py", line 4' in said
    assert "importlib" not in said


@pytest.mark.spark
def test_the_same_script_runs_on_spark(spark, capsys):
    arguments = ["--space", "space.toml", "--trials", "2", "--workers", "2", "--engine", "spark", "--json", "-q"]
    assert main(["run", "train.py:train", *arguments]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["num_trials"] == 2
    assert begun(result["experiment_dir"])["engine"] == "spark"


def test_ctrl_c_keeps_what_has_finished_and_resume_goes_on(capsys):
    """The script presses Ctrl-C itself in its third trial; `maggy resume` then finishes the five."""
    Path("pressing.py").write_text(
        """
import os, signal
from pathlib import Path

def train(x, reporter):
    mark = Path(MARK)
    if len(list(mark.parent.glob("done-*"))) == 2 and not mark.exists():
        mark.touch()
        os.kill(int(os.environ["DRIVER"]), signal.SIGINT)
        while True:
            reporter.broadcast(x)
    Path(mark.parent, f"done-{x}").touch()
    return x

MARK = os.environ["MARK"]
os.environ["DRIVER"] = str(os.getpid())
"""
    )
    command = [sys.executable, "-m", "maggy", "run", "pressing.py:train", "--space", "space.toml", "--trials", "5"]
    answer = subprocess.run(
        [*command, "--workers", "1", "--dir", "out", "--seed", "1", "--json"],
        capture_output=True, text=True, timeout=60, env=with_mark(),
    )  # fmt: skip
    assert answer.returncode == 130, answer.stderr
    result = json.loads(answer.stdout)
    assert result["interrupted"] is True
    assert 2 <= result["num_trials"] <= 3
    assert "Ctrl-C" in answer.stderr
    assert main(["resume", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_trials"] == 5
    assert len({record.event.epoch for record in read(ExperimentFolder.open("out")) if has_epoch(record)}) == 2


def with_mark():
    import os

    return {**os.environ, "MARK": str(Path("mark").absolute())}


def has_epoch(record):
    return type(record.event).__name__ == "DriverStarted"


def test_a_space_of_a_config_that_is_no_table_is_refused_with_what_to_write(capsys):
    Path("it.toml").write_text('space = "space.toml"\n[run]\ntarget = "train.py:train"\n')
    assert main(["run", "--config", "it.toml"]) == 2
    assert "it.toml: [space] has to be a table" in capsys.readouterr().err
