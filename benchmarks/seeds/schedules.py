"""When trials of known durations end: in stages of Spark by arithmetic, as an experiment by simulation."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from maggy import Searchspace, simulate
from maggy.config import HyperparameterOptConfig
from maggy.simulation import LearningCurve


def stages_s(seconds: Sequence[float], executors: int) -> float:
    """Each batch takes as long as its longest trial."""
    return sum(max(seconds[place : place + executors]) for place in range(0, len(seconds), executors))


def one_stage_s(seconds: Sequence[float], executors: int) -> float:
    """Each task goes to the first executor that is free."""
    free_at = [0.0] * executors
    for duration in seconds:
        heapq.heapreplace(free_at, free_at[0] + duration)
    return max(free_at)


def experiment(trials: Sequence[dict[str, Any]], executors: int, **settings: Any) -> tuple[float, float]:
    """What the driver makes of it with so many workers: seconds, and the best of those that were trained to their end.

    trials    "validation" after each epoch, and "processor_s", of each that was trained to its end
    settings  more of the config: `es_policy` and what goes with it
    """
    config = HyperparameterOptConfig(
        num_trials=len(trials),
        optimizer="gridsearch",
        searchspace=Searchspace(number=("DISCRETE", list(range(len(trials))))),
        direction="max",
        **settings,
    )

    def curve(params: dict[str, Any]) -> LearningCurve:
        trial = trials[params["number"]]
        return LearningCurve(trial["validation"], trial["processor_s"] / len(trial["validation"]))

    result = simulate(config, curve, workers=executors, seed=0)
    return result.simulated_s, max(trial.final_metric or 0.0 for trial in result.trials if not trial.early_stop)


def shuffled(trials: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The same trials as another random search might have drawn them."""
    return [trials[place] for place in np.random.default_rng(seed).permutation(len(trials))]
