"""Small experiments under a virtual clock, whose losses can be told by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from maggy import simulate
from maggy.chronicle import Chronicle
from maggy.config import HyperparameterOptConfig
from maggy.searchspace import Choice, Rand, RandInt, Space
from maggy.simulation import LearningCurve

SPACE = Space(
    lr=Rand(1e-5, 1e-1, log=True),
    optimizer=Choice("sgd", "adam"),
    momentum=Rand(0, 1).when(optimizer="sgd"),
    layers=RandInt(1, 4),
)


def loss(params: dict[str, Any]) -> float:
    """The learning rate counts for most, the layers for some, and nothing else for anything."""
    return 1.0 + abs(math.log10(params["lr"]) + 3) + 0.1 * params["layers"]


def curve(params: dict[str, Any]) -> LearningCurve:
    if params["lr"] > 0.08:
        raise ValueError("diverged")
    return LearningCurve([loss(params) + 1 / step for step in range(1, 10)])


def simulated(folder: Path, source: Any = curve, *, trials: int = 60, workers: int = 4, **settings: Any) -> Chronicle:
    played = {key: settings.pop(key) for key in ("resumes", "losses") if key in settings}
    settings = {"optimizer": "randomsearch", "searchspace": SPACE, "direction": "min", "es_policy": "none", **settings}
    config = HyperparameterOptConfig(num_trials=trials, **settings)
    simulate(config, source, workers=workers, seed=3, experiment_dir=folder, **played)
    return Chronicle.of(folder)
