"""Small experiments whose every second can be told by hand."""

from __future__ import annotations

from typing import Any

from maggy import Searchspace
from maggy.config import HyperparameterOptConfig


def grid_of(n: int, **options: Any) -> HyperparameterOptConfig:
    """A search that tries number = 0, 1, ... n - 1, in this order."""
    options = {"optimizer": "gridsearch", "num_trials": n, "es_policy": "none", "direction": "min", **options}
    return HyperparameterOptConfig(searchspace=Searchspace(number=("DISCRETE", list(range(n)))), **options)


def search_of(n: int, optimizer: Any = "randomsearch", **options: Any) -> HyperparameterOptConfig:
    """A search over x and y between 0 and 1."""
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]), y=("DOUBLE", [0.0, 1.0]))
    return HyperparameterOptConfig(n, optimizer, space, **{"es_policy": "none", "direction": "min", **options})


def times(result: Any) -> dict[int, tuple[int, float, float]]:
    """Worker, start and end of each trial, by number."""
    return {trial.trial_id: (trial.worker, trial.start, trial.end) for trial in result.trials}
