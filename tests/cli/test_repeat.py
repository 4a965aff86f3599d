"""The same again, and what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import maggy
from maggy import Searchspace, lagom
from maggy.chronicle import Chronicle
from maggy.cli import main
from maggy.config import BaseConfig, HyperparameterOptConfig
from maggy.errors import ConfigError, ExperimentDirError, ResumeError
from maggy.seeds import seed_of


def told(capsys, *arguments, status=0):
    capsys.readouterr()
    assert main([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def outcome(path):
    return {n: (t.params, t.final_metric, t.metric_history) for n, t in Chronicle.of(path).trials.items()}


def about(path):
    return json.loads(Path(path, "experiment.json").read_text())


def test_an_experiment_that_is_repeated_comes_out_the_same_whatever_became_of_its_script(recorded, capsys):
    Path("train.py").write_text("raise SystemExit('this is another script by now')")
    assert main(["repeat", recorded, "--dir", "again"]) == 0
    assert outcome("again") == outcome(recorded)
    assert about("again")["seed"] == about(recorded)["seed"]
    assert about("again")["sources"] == about(recorded)["sources"]
    assert about("again")["config"]["description"] == f"repeats {recorded}"
    capsys.readouterr()
    assert main(["diff", recorded, "again"]) == 0
    assert capsys.readouterr().out == "no difference\n"


def test_one_trial_is_repeated_as_a_single_run(recorded, capsys):
    trial = Chronicle.of(recorded).trials[3]
    result = told(capsys, "repeat", recorded, "--trial", "3", "--dir", "third")
    assert result["test result"] == trial.final_metric
    assert about("third")["config"]["hparams"] == trial.params
    assert outcome("third") == {0: ({}, trial.final_metric, trial.metric_history)}
    assert main(["repeat", recorded, "--trial", "9"]) == 2
    assert "has no trial 9" in capsys.readouterr().err


def test_a_trial_that_takes_a_seed_and_a_budget_gets_its_own_again():
    def train(x, budget, seed):
        return x + budget + seed

    space = Searchspace(x=("DOUBLE", [0, 1]))
    config = HyperparameterOptConfig(4, "asha", space, es_policy="none", seed=9, experiment_dir="run", num_workers=1)
    result = lagom(train, config, engine="local", verbose=0)
    best = result.best
    again = maggy.repeat("run", best.trial_id, experiment_dir="again", verbose=0)
    assert again["test result"] == best.final_metric
    assert about("again")["config"]["hparams"] == {
        **best.params,
        "budget": best.budget,
        "seed": seed_of(9, "trial", best.trial_id),
    }


def test_data_that_lie_in_the_old_folder_come_along_and_their_fingerprint_is_the_same():
    import numpy as np

    def train(x, train_set):
        return float(x * train_set.sum())

    space = Searchspace(x=("DOUBLE", [0, 1]))
    config = HyperparameterOptConfig(
        2, "randomsearch", space, train_set=np.arange(100.0), seed=1, experiment_dir="run", num_workers=1
    )
    lagom(train, config, engine="local", verbose=0)
    Path("run").rename("moved")
    Path("moved/uncommitted.patch").write_text("what was changed and not committed")
    maggy.repeat("moved", experiment_dir="again", verbose=0)
    assert outcome("again") == outcome("moved")
    assert about("again")["data"] == about("moved")["data"]
    assert about("again")["data"]["train_set"]["of"] == "content"
    assert Path("again/uncommitted.patch").read_text() == "what was changed and not committed"


def test_what_was_not_kept_or_cannot_stand_alone_is_refused(recorded):
    lagom(lambda: 1.0, BaseConfig(experiment_dir="one"), engine="inline", verbose=0)
    assert maggy.repeat("one", 0, engine="inline", verbose=0)["test result"] == 1.0
    with pytest.raises(ConfigError, match="has no trial 1"):
        maggy.repeat("one", 1)
    Path("one/recipe.pkl").unlink()
    with pytest.raises(ResumeError, match=r"recipe\.pkl is missing"):
        maggy.repeat("one")
    with pytest.raises(ExperimentDirError, match="already holds an experiment"):
        maggy.repeat(recorded, experiment_dir="one", verbose=0)


def test_differences_are_told_by_what_they_are_of(recorded, capsys):
    script = Path("train.py").read_text()
    Path("train.py").write_text(script.replace("1 / (step + 1)", "2 / (step + 1)"))
    space = 'x = { type = "double", values = [0, 2] }\nsteps = 4\n'
    Path("space.toml").write_text(space)
    arguments = ["--space", "space.toml", "--trials", "2", "--optimizer", "sobol", "--early-stopping", "none"]
    assert main(["run", "train.py:train", *arguments, "--seed", "6", "--engine", "inline", "-q", "--dir", "other"]) == 0
    capsys.readouterr()
    found = told(capsys, "diff", recorded, "other", status=1)
    assert found["what"] == {"seed": [5, 6]}
    assert "+        reporter.broadcast(hill(x) - 2 / (step + 1), step)" in found["code"]["train.train"]
    assert found["space"] == {"x": [["DOUBLE", [0.0, 1.0]], ["DOUBLE", [0.0, 2.0]]]}
    assert found["config"]["optimizer"] == ["randomsearch", "sobol"]
    assert found["config"]["num_trials"] == [6, 2]
    assert found["engine"] == {"engine": ["local", "inline"]}
    assert set(found["result"]) == {f"trial {n}" for n in range(6)}
    assert "versions" not in found and "data" not in found

    assert main(["diff", recorded, "other"]) == 1
    said = capsys.readouterr().out
    assert "what\n  seed: 5 -> 6\n" in said
    assert "  optimizer: randomsearch -> sobol\n" in said


def test_an_experiment_of_before_every_package_was_listed_differs_only_in_what_both_tell(recorded, capsys):
    shutil.copytree(recorded, "old")
    told_then = about("old")
    del told_then["packages"], told_then["git"], told_then["objectives"]
    told_then["versions"] = {"maggy": "1", "python": told_then["versions"]["python"]}
    Path("old/experiment.json").write_text(json.dumps(told_then))
    assert set(told(capsys, "diff", "old", recorded, status=1)["versions"]) == {"maggy"}


@pytest.mark.parametrize("command", ["repeat", "resume", "replay"])
@pytest.mark.parametrize("text", ["[]", "null", '{"kind": "X"}'])
def test_a_damaged_description_is_said_to_be_damaged(recorded, capsys, command, text):
    shutil.copytree(recorded, "damaged")
    Path("damaged/experiment.json").write_text(text)
    assert main([command, "damaged"]) == 2
    assert "is damaged" in capsys.readouterr().err
