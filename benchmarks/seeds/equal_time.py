"""`python -m benchmarks.seeds.equal_time SECONDS REPEATS FOLDER`: how far three searches come in the same time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.seeds.rounds import DATA, main
from benchmarks.seeds.training import Training
from maggy import Searchspace, lagom
from maggy.brain.events import TrialFinished
from maggy.config import HyperparameterOptConfig
from maggy.earlystop import MedianStoppingRule, time_budget
from maggy.engine.spark import SparkEngine
from maggy.journal import ExperimentFolder, read
from maggy.optimizer import Asha
from maggy.result import Result

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EPOCHS, ETA, WIDTH = 256, 4, 48
SPACE = Searchspace(
    lr=("DOUBLE", [1e-5, 10], {"log": True}),
    momentum=("DOUBLE", [0.0, 0.999]),
    batch=("INTEGER", [16, 512], {"log": True}),
    weight_decay=("DOUBLE", [1e-6, 1], {"log": True}),
    init_scale=("DOUBLE", [1e-2, 10], {"log": True}),
)
METHODS: dict[str, Callable[[float], dict[str, Any]]] = {
    "ASHA": lambda seconds: {"optimizer": Asha(ETA, 1, EPOCHS), "es_policy": time_budget(seconds)},
    "random, early stopping": lambda seconds: {
        "optimizer": "randomsearch",
        "es_policy": MedianStoppingRule() | time_budget(seconds),
    },
    "random": lambda seconds: {"optimizer": "randomsearch", "es_policy": time_budget(seconds)},
}


def train(lr, momentum, batch, weight_decay, init_scale, reporter, *, data, budget=EPOCHS):  # type: ignore[no-untyped-def]
    """Train up to so many epochs, from the last checkpoint if there is one."""
    training = reporter.load_checkpoint()
    if training is None:
        params = {"lr": lr, "momentum": momentum, "batch": batch, "weight_decay": weight_decay, "width": WIDTH}
        training = Training(params | {"init_scale": init_scale}, data, seed=reporter.trial_id)
    while training.epochs < budget:
        training.epoch()
        reporter.broadcast(training.accuracy("validation"), step=training.epochs)
    if budget < EPOCHS:
        reporter.save_checkpoint(training)
    return {"Metric": training.accuracy("validation"), "test": training.accuracy("test")}


def search(method: str, repeat: int, seconds: float, spark: SparkSession, folder: Path) -> dict[str, Any]:
    """What a search has found when its time was over."""
    config = HyperparameterOptConfig(
        num_trials=1_000_000,
        searchspace=SPACE,
        direction="max",
        seed=repeat,
        experiment_dir=folder / f"{method}-{repeat}",
        **METHODS[method](seconds),
    )
    function = partial(train, data=folder / DATA)
    result = lagom(function, config, engine=SparkEngine(spark), verbose=0)
    best = max((trial for trial in result.trials if trial.metric_dict), key=lambda trial: trial.final_metric or 0.0)
    assert best.metric_dict is not None
    return {
        "trials": len(result.trials),
        "stopped": sum((trial.reason or "").startswith("median rule") for trial in result.trials),
        "validation": best.final_metric,
        "test": best.metric_dict["test"],
        "course": course(result),
    }


def course(result: Result) -> list[tuple[float, float]]:
    """When a trial returned the best so far, in seconds since the experiment began, and what."""
    found: list[tuple[float, float]] = []
    began = result.chronicle.drivers[0]
    for record in read(ExperimentFolder.open(result.experiment_dir)):
        if isinstance(record.event, TrialFinished) and record.event.metric is not None:
            value = float(record.event.metric)
            if not found or value > found[-1][1]:
                found.append((record.t - began, value))
    return found


if __name__ == "__main__":
    sys.exit(main(METHODS, search))
