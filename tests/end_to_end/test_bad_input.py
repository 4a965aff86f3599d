"""Bad input is a clear error before anything starts: no worker, no folder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Reporter, Searchspace, lagom
from maggy.config import BaseConfig, HyperparameterOptConfig
from maggy.errors import (
    ConfigError,
    ExperimentDirError,
    FunctionNotPicklableError,
    FunctionTooLargeError,
    SearchspaceError,
    SignatureError,
    UnknownNameError,
)


def train(x, n):
    return x * n


@pytest.fixture(autouse=True)
def _nothing_has_started(_own_folder):
    yield
    assert not Path("maggy-runs").exists() or not list(Path("maggy-runs").rglob("experiment.json"))


def make(**settings):
    return lagom(train, search(**settings), verbose=0)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"direction": "up"}, ConfigError, "direction has to be 'max' or 'min', got 'up'"),
        ({"num_trials": 0}, ConfigError, "num_trials has to be a whole number of at least 1, got 0"),
        ({"num_trials": -3}, ConfigError, "at least 1, got -3"),
        ({"num_trials": 2.5}, ConfigError, "whole number of at least 1, got 2.5"),
        ({"optimizer": "rndomsearch"}, UnknownNameError, r"Did you mean 'randomsearch'\? Known: .*'gridsearch'"),
        ({"optimizer": 3}, ConfigError, "optimizer must be one of"),
        (
            {"es_policy": "mean"},
            UnknownNameError,
            "unknown early-stopping policy 'mean'.*Known: 'median', 'percentile', 'curve'",
        ),
        ({"es_interval": 0}, ConfigError, "es_interval has to be a whole number of at least 1, got 0"),
        ({"es_min": -1}, ConfigError, "es_min has to be a whole number of at least 0, got -1"),
        ({"hb_interval": 0}, ConfigError, "hb_interval has to be a number of seconds above 0"),
        ({"num_workers": 0}, ConfigError, "num_workers has to be a whole number of at least 1, got 0"),
        ({"seed": "lucky"}, ConfigError, "seed has to be a whole number"),
        ({"name": " "}, ConfigError, "name has to be text"),
        ({"resources_per_worker": {"tpu": 1}}, ConfigError, "knows 'cpu' and 'gpu', not 'tpu'"),
        ({"workers_per_trial": 2}, ConfigError, "say how the workers train together, with distributed='torch'"),
        ({"workers_per_trial": 999, "distributed": "plain"}, ConfigError, "a trial needs 999 workers .* there can be"),
        ({"workers_per_trial": 2, "distributed": "tourch"}, UnknownNameError, r"Did you mean 'torch'\?"),
        ({"optimizer": "none"}, ConfigError, "x"),
        ({"optimizer": "gridsearch"}, ConfigError, r"'DISCRETE'"),
        ({"experiment_dir": "ftp5://nowhere/x"}, ExperimentDirError, "ftp5"),
    ],
)
def test_a_setting_that_cannot_work(settings, error, says):
    with pytest.raises(error, match=says):
        make(**settings)


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        (("FLOAT", [0, 1]), "FLOAT"),
        (("DOUBLE", []), "the list of values is empty"),
        (("DOUBLE", [1, 0]), "1"),
        (("DOUBLE", [1, 1]), "1"),
        (("DOUBLE", ["a", "b"]), "'a'"),
        (("INTEGER", [0.5, 2]), "0.5"),
        (("CATEGORICAL", []), "the list of values is empty"),
    ],
)
def test_a_parameter_that_cannot_work(parameter, says):
    with pytest.raises(SearchspaceError, match=says):
        Searchspace(x=parameter)


@pytest.mark.parametrize("name", ["reporter", "hparams", "model", "budget"])
def test_names_that_maggy_provides_are_reserved(name):
    with pytest.raises(SearchspaceError, match=name):
        Searchspace(**{name: ("DOUBLE", [0, 1])})


def test_a_duplicate_name():
    space = Searchspace(x=("DOUBLE", [0, 1]))
    with pytest.raises(SearchspaceError, match="'x'"):
        space.add("x", ("INTEGER", [0, 1]))


def test_an_argument_that_nobody_provides():
    with pytest.raises(SignatureError, match=r"asks for 'lr', which nobody provides.*Provided here: .*\bn\b.*\bx\b"):
        lagom(lambda x, n, lr: x, search(), verbose=0)


def test_a_hyperparameter_that_nobody_takes():
    with pytest.raises(SignatureError, match="never gets the hyperparameter 'n'"):
        lagom(lambda x: x, search(), verbose=0)


def test_a_function_that_cannot_be_pickled_names_the_variable():
    guard = threading.Lock()

    def locked(x, n):
        with guard:
            return x

    with pytest.raises(FunctionNotPicklableError, match="its variable 'guard' cannot be pickled") as caught:
        lagom(locked, search(), verbose=0)
    assert caught.value.variables == ("guard",)


def test_a_function_with_much_data_in_it_says_how_much_and_what_to_do():
    table = b"x" * 70_000_000

    def heavy(x, n):
        return len(table)

    with pytest.raises(FunctionTooLargeError, match=r"weighs 70 MB pickled \(largest: 'table' 70 MB\).*train_set="):
        lagom(heavy, search(), verbose=0)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ExperimentDirError, match=r"cannot be written.*experiment_dir="):
        make(experiment_dir=tmp_path / "file" / "below")


def test_a_folder_that_holds_an_experiment_already(tmp_path):
    lagom(train, search(experiment_dir=tmp_path / "run"), engine="inline", verbose=0)
    with pytest.raises(ExperimentDirError, match="already holds an experiment"):
        make(experiment_dir=tmp_path / "run")


def test_an_engine_that_does_not_exist():
    with pytest.raises(UnknownNameError, match=r"unknown engine 'sparc'\. Did you mean 'spark'"):
        lagom(train, search(), engine="sparc", verbose=0)


def test_no_function_two_functions_or_no_function_at_all():
    with pytest.raises(ConfigError, match="one training function"):
        lagom()
    with pytest.raises(ConfigError, match="one training function"):
        lagom(train, map_fun=train)
    with pytest.raises(SignatureError, match="has to be callable, got int"):
        lagom(3, BaseConfig())


def test_a_keyword_that_no_version_had():
    with pytest.raises(UnknownNameError, match=r"unknown keyword of lagom 'num_trails'\. Did you mean 'num_trials'"):
        lagom(train, num_trails=3)


def test_a_config_and_keywords_contradict_each_other():
    with pytest.raises(ConfigError, match="a config and the keywords 'num_trials'"):
        lagom(train, search(), num_trials=3)


def test_a_search_space_has_to_be_one():
    with pytest.raises(ConfigError, match="searchspace has to be a Searchspace or a Space, got dict"):
        HyperparameterOptConfig(3, "randomsearch", {"x": ("DOUBLE", [0, 1])})


def test_outside_an_experiment_the_function_stays_callable_by_hand(capsys):
    def by_hand(x, reporter):
        reporter.broadcast(x, 3)
        reporter.log("done")
        return x

    assert by_hand(0.5, Reporter()) == 0.5
    assert capsys.readouterr().out == "step 3: 0.5\ndone\n"
