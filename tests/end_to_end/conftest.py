from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maggy import Searchspace
from maggy.config import HyperparameterOptConfig


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments put their folders below the working directory, and what waits for a store too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=["inline", "local", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> Any:
    """Each engine in turn; Spark with executors in processes of their own."""
    if request.param == "spark":
        from maggy.engine.spark import SparkEngine

        return SparkEngine(request.getfixturevalue("spark"))
    return request.param


def search(num_trials: int = 8, **settings: Any) -> HyperparameterOptConfig:
    """A search over x in [0, 1] and n in 1..5."""
    settings = {
        "optimizer": "randomsearch",
        "searchspace": Searchspace(x=("DOUBLE", [0.0, 1.0]), n=("INTEGER", [1, 5])),
        "seed": 7,
        **settings,
    }
    return HyperparameterOptConfig(num_trials, **settings)
