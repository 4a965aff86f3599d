"""Experiments that are resumed by their users: from the program, from a terminal, after changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import lagom
from maggy.cli import main
from maggy.config import BaseConfig
from maggy.errors import ConfigError, ExperimentDirError, ResumeError
from maggy.journal import ExperimentFolder, read
from maggy.optimizer import AbstractOptimizer
from maggy.trial import TrialState

FACTOR = 1


def double(x):
    return 2 * x * FACTOR


def train(x, n, reporter):
    for step in range(n):
        reporter.broadcast(x * step, step)
    return double(x) + n


def train_otherwise(x, n, reporter):
    return x


def outcome(result):
    return {trial.trial_id: (trial.state, trial.params, trial.final_metric) for trial in result.trials}


def test_an_experiment_that_is_complete_has_its_result_again_and_runs_nothing():
    result = lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    before = Path("run/result.json").read_text()

    def train_again(x, n):
        raise AssertionError("nothing is left to do")

    again = lagom(train_again, search(), engine="inline", resume="run", force=True, verbose=0)
    assert dict(again) == dict(result)
    assert outcome(again) == outcome(result)
    assert Path("run/result.json").read_text() == before


def test_an_experiment_that_ctrl_c_ended_goes_on(engine):
    def train_and_press(x, n, reporter):
        import os
        import signal
        from pathlib import Path

        for _ in range(3):
            reporter.broadcast(x)
        if x > 0.5 and not Path(folder, "pressed").exists():
            Path(folder, "pressed").touch()
            os.kill(driver, signal.SIGINT)
            while True:
                reporter.broadcast(x)
        return x

    folder, driver = os.getcwd(), os.getpid()
    undisturbed = lagom(lambda x, n: x, search(), engine="inline", verbose=0)
    first = lagom(train_and_press, search(experiment_dir="run", es_policy="none"), engine=engine, verbose=0)
    assert first.interrupted
    assert len(first.trials) < 8
    second = lagom(train_and_press, search(es_policy="none"), engine=engine, resume="run", verbose=0)
    assert not second.interrupted
    assert outcome(second) == outcome(undisturbed)
    kept = outcome(first)
    assert {number: outcome(second)[number] for number in kept} == kept


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"num_trials": 9}, {"num_trials": "8 -> 9"}),
        ({"direction": "min"}, {"direction": "'max' -> 'min'"}),
        ({"seed": 8}, {"seed": "7 -> 8"}),
        ({"optimizer": "gridsearch"}, {"optimizer": "'randomsearch' -> 'gridsearch'"}),
    ],
)
def test_a_changed_config_is_shown_and_refused(changes, shown):
    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    if changes.get("optimizer") == "gridsearch":
        from maggy import Searchspace

        changes = {**changes, "searchspace": Searchspace(x=("DISCRETE", [0.0, 1.0]), n=("INTEGER", [1, 5]))}
    with pytest.raises(ResumeError, match="what is to be resumed is not what was begun") as caught:
        lagom(train, search(**changes), engine="inline", resume="run", verbose=0)
    assert {name: caught.value.differences[name] for name in shown} == shown
    assert all(f"{name}: {text}" in str(caught.value) for name, text in shown.items())


def test_a_changed_space_is_shown_parameter_by_parameter():
    from maggy import Searchspace

    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    wider = Searchspace(x=("DOUBLE", [0.0, 2.0]), n=("INTEGER", [1, 5]))
    with pytest.raises(ResumeError) as caught:
        lagom(train, search(searchspace=wider), engine="inline", resume="run", verbose=0)
    assert list(caught.value.differences) == ["searchspace.x"]


def test_a_changed_function_is_shown_as_a_difference_of_its_source():
    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    with pytest.raises(ResumeError) as caught:
        lagom(train_otherwise, search(), engine="inline", resume="run", verbose=0)
    assert "function" in caught.value.differences
    assert "-def train(x, n, reporter):" in str(caught.value)
    assert "+def train_otherwise(x, n, reporter):" in str(caught.value)


def test_a_changed_constant_that_the_function_uses_far_down_is_noticed(monkeypatch):
    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    monkeypatch.setattr(f"{__name__}.FACTOR", 3)
    with pytest.raises(ResumeError) as caught:
        lagom(train, search(), engine="inline", resume="run", verbose=0)
    (name,) = caught.value.differences
    assert name.endswith("FACTOR")
    assert "-1" in caught.value.differences[name]
    assert "+3" in caught.value.differences[name]


def test_what_changes_nothing_about_the_result_may_change():
    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    settings = search(num_workers=3, hb_interval=2, description="again", lost_limit=7, name="other")
    assert len(lagom(train, settings, engine="inline", resume="run", verbose=0).trials) == 8


def test_force_gives_more_trials_and_keeps_those_that_have_ended():
    first = lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    with pytest.raises(ResumeError):
        lagom(train, search(12), engine="inline", resume="run", verbose=0)
    more = lagom(train, search(12), engine="inline", resume="run", force=True, verbose=0)
    assert len(more.trials) == 12
    assert {number: outcome(more)[number] for number in range(8)} == outcome(first)
    assert outcome(more) == outcome(lagom(train, search(12), engine="inline", verbose=0))
    assert len(lagom(resume="run", engine="inline", verbose=0).trials) == 12, "what was forced is what is resumed"


class Unpicklable(AbstractOptimizer):
    def initialize(self):
        self.shelf = [{"x": n / 8, "n": 2} for n in range(self.num_trials)]

    def get_suggestion(self, trial=None):
        return self.create_trial(self.shelf.pop()) if self.shelf else None

    def finalize_experiment(self, trials):
        pass

    def __reduce__(self):
        raise TypeError("not this one")


def test_a_config_that_cannot_be_pickled_is_resumed_from_the_program_only(capsys):
    result = lagom(train, search(optimizer=Unpicklable(), experiment_dir="run"), engine="inline", verbose=0)
    assert main(["resume", "run"]) == 2
    said = capsys.readouterr().err
    assert "not this one" in said
    assert "Resume it from the program: lagom(train_fn, config, resume=" in said
    again = lagom(train, search(optimizer=Unpicklable()), engine="inline", resume="run", verbose=0)
    assert outcome(again) == outcome(result)


@pytest.mark.parametrize(
    ("keywords", "error", "says"),
    [
        ({"resume": "nowhere"}, ExperimentDirError, "there is no folder"),
        ({"resume": "empty"}, ExperimentDirError, "holds no experiment"),
        ({"train_fn": train, "force": True}, ConfigError, "force=True goes with resume="),
        ({}, ConfigError, "needs one training function"),
    ],
)
def test_what_cannot_be_resumed_says_why(keywords, error, says):
    Path("empty").mkdir()
    with pytest.raises(error, match=says):
        lagom(**keywords, engine="inline", verbose=0)


def test_a_running_experiment_cannot_be_resumed_by_another():
    def train_and_resume():
        with pytest.raises(ExperimentDirError, match="still running"):
            lagom(lambda: 1.0, BaseConfig(), engine="inline", resume="run", force=True, verbose=0)
        return 1.0

    assert lagom(train_and_resume, BaseConfig(experiment_dir="run"), engine="inline", verbose=0)["test result"] == 1.0


SCRIPT = """
import os, signal
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig

def train(x, reporter):
    from pathlib import Path
    reporter.broadcast(x, 0)
    if x == 5 and not Path("killed").exists():
        Path("killed").touch()
        os.kill(DRIVER, signal.SIGKILL)
        while True:
            pass
    return x

DRIVER = os.getpid()
space = Searchspace(x=("INTEGER", [1, 8]))
config = HyperparameterOptConfig(8, "gridsearch", space, es_policy="none", num_workers=1, experiment_dir="run")
lagom(train, config, engine="local", verbose=0)
"""


def test_a_killed_program_is_resumed_from_the_terminal_and_replayed(capfd):
    Path("program.py").write_text(SCRIPT)
    killed = subprocess.run([sys.executable, "program.py"], timeout=60)
    assert killed.returncode == -signal.SIGKILL

    resumed = subprocess.run(
        [sys.executable, "-m", "maggy", "resume", "run"], capture_output=True, text=True, timeout=60
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "best" in resumed.stderr
    assert "8 finished" in resumed.stderr

    assert main(["replay", "run"]) == 0
    said = capfd.readouterr().out
    assert "drivers: 2; trials: 8 finished" in said
    assert "no difference" in said
    records = len(list(read(ExperimentFolder.open("run"))))
    assert f"{records} records, 8 decisions made again" in said

    assert main(["replay", "run", "--until", "4"]) == 0
    assert "4 records, 1 decisions made again; drivers: 1; trials: 1 running" in capfd.readouterr().out


def test_what_the_folder_holds_is_resumed_whatever_became_of_the_program():
    Path("program.py").write_text(
        SCRIPT.replace("def train(x", "class Own:\n    n = 1\n\ndef train(x").replace(
            "    return x", "    return x * Own.n"
        )
    )
    assert subprocess.run([sys.executable, "program.py"], timeout=60).returncode == -signal.SIGKILL
    Path("program.py").unlink()
    Path("elsewhere").mkdir()
    Path("elsewhere/killed").touch()  # the function looks for it where it runs
    resume = [sys.executable, "-m", "maggy", "resume", "../run"]
    resumed = subprocess.run(resume, capture_output=True, text=True, timeout=60, cwd="elsewhere")
    assert resumed.returncode == 0, resumed.stderr
    assert "8 finished" in resumed.stderr
    assert main(["replay", "run"]) == 0


def test_more_trials_are_asked_for_by_a_keyword():
    lagom(train, search(4, experiment_dir="run"), engine="inline", verbose=0)
    assert len(lagom(resume="run", force=True, num_trials=6, engine="inline", verbose=0).trials) == 6
    with pytest.raises(ConfigError, match="unknown field of HyperparameterOptConfig 'num_trails'"):
        lagom(resume="run", force=True, num_trails=6, engine="inline", verbose=0)


def test_a_resume_that_fails_leaves_the_description_of_what_was_begun():
    class Broken(AbstractOptimizer):
        def initialize(self):
            pass

        def get_suggestion(self, trial=None):
            raise RuntimeError("broken")

        def finalize_experiment(self, trials):
            pass

    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    before = Path("run/experiment.json").read_bytes(), Path("run/recipe.pkl").read_bytes()
    with pytest.raises(ResumeError, match=r"at record 1 one of them raised RuntimeError: broken"):
        lagom(train, search(optimizer=Broken()), engine="inline", resume="run", force=True, verbose=0)
    assert (Path("run/experiment.json").read_bytes(), Path("run/recipe.pkl").read_bytes()) == before
    assert len(lagom(resume="run", engine="inline", verbose=0).trials) == 8


def test_another_kind_of_experiment_is_refused_even_by_force():
    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    with pytest.raises(ResumeError, match="another kind"):
        lagom(lambda: 1.0, BaseConfig(), engine="inline", resume="run", force=True, verbose=0)


def test_a_config_that_names_another_folder_than_resume_is_an_error():
    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    with pytest.raises(ConfigError, match="leave one of them out"):
        lagom(train, search(experiment_dir="other"), engine="inline", resume="run", verbose=0)


def test_a_replay_shows_differences_and_says_so_by_its_status(capsys, monkeypatch):
    lagom(train, search(experiment_dir="run"), engine="inline", verbose=0)
    monkeypatch.setattr("maggy.optimizer.RandomSearch.suggest", lambda self, n, rng: None)
    assert main(["replay", "run"]) == 1
    said = capsys.readouterr().out
    assert '"type":"Suggested"' in said
    assert "differences" in said


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in ("resume", "replay", "join"))


def test_a_trial_that_fails_once_gets_its_second_try(engine):
    def flaky(x, n):
        from pathlib import Path

        marker = Path(folder, f"tried-{x}")
        if not marker.exists():
            marker.touch()
            raise RuntimeError("not yet")
        return x

    folder = os.getcwd()
    result = lagom(flaky, search(4, error_limit=2), engine=engine, verbose=0)
    assert [trial.state for trial in result.trials] == [TrialState.FINISHED] * 4
    assert {trial.attempt for trial in result.trials} == {1}
    assert {trial.error for trial in result.trials} == {None}
