"""`python -m benchmarks.seeds.equal_trials TRIALS REPEATS FOLDER`: the same configurations, trained in five ways.

Of each way: how long it took until all were done, and what each trial came to. All are trained to their end, but where
the median rule stops some.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.seeds.cluster import EXECUTORS
from benchmarks.seeds.rounds import DATA, main
from benchmarks.seeds.training import Training
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.engine.spark import SparkEngine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EPOCHS, SELDOM = 80, 20
SPACE = Searchspace(
    lr=("DOUBLE", [1e-3, 1], {"log": True}),
    momentum=("DOUBLE", [0.0, 0.99]),
    batch=("INTEGER", [8, 256], {"log": True}),
    weight_decay=("DOUBLE", [1e-6, 1e-1], {"log": True}),
    init_scale=("DOUBLE", [0.3, 3], {"log": True}),
    width=("INTEGER", [16, 128], {"log": True}),
)
STAGES, ONE_STAGE = "bulk-synchronous stages of Spark", "one stage of Spark for all trials"
STOPPING = "ours, early stopping"
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "ours, asynchronous": {"es_policy": "none"},
    STOPPING: {"es_policy": "median"},
    f"{STOPPING}, every {SELDOM} epochs": {"es_policy": "median", "es_interval": SELDOM},
}

Configurations = Sequence[Mapping[str, Any]]
Run = dict[str, Any]
"""How long it took as "wall_s", and "trials": of each its validation after each epoch, its test accuracy (None if it
was stopped), the seconds it took, and in stages those that a processor worked on it."""


def draw(trials: int, seed: int) -> Configurations:
    """As random search draws them."""
    rng = np.random.default_rng(seed)
    return [SPACE.draw(rng) for _ in range(trials)]


def train(numbered: tuple[int, Mapping[str, Any]], data: Path, report: Callable[[float], Any]) -> dict[str, Any]:
    """Train a configuration to its end."""
    number, params = numbered
    began, processor_began = time.perf_counter(), time.process_time()
    training = Training(params, data, seed=number)
    validation = []
    for _ in range(EPOCHS):
        training.epoch()
        validation.append(training.accuracy("validation"))
        report(validation[-1])
    return {
        "validation": validation,
        "test": training.accuracy("test"),
        "seconds": time.perf_counter() - began,
        "processor_s": time.process_time() - processor_began,
    }


# --- as stages of Spark ---


def stages(configurations: Configurations, spark: SparkSession, folder: Path) -> Run:
    """As many trials as there are executors; when the last of them has returned, the next as many."""
    numbered = [*enumerate(configurations)]
    batches = (numbered[place : place + EXECUTORS] for place in range(0, len(numbered), EXECUTORS))
    began = time.perf_counter()
    trials = [trial for batch in batches for trial in stage(batch, spark, folder)]
    return {"wall_s": time.perf_counter() - began, "trials": trials}


def one_stage(configurations: Configurations, spark: SparkSession, folder: Path) -> Run:
    """Each trial a task, and no word until all have returned."""
    began = time.perf_counter()
    trials = stage([*enumerate(configurations)], spark, folder)
    return {"wall_s": time.perf_counter() - began, "trials": trials}


def stage(numbered: Sequence[tuple[int, Mapping[str, Any]]], spark: SparkSession, folder: Path) -> list[Any]:
    tasks = spark.sparkContext.parallelize(numbered, len(numbered))
    return tasks.map(partial(train, data=folder / DATA, report=unheard)).collect()


def unheard(_: float) -> None:
    """Tasks of Spark have nobody to report to."""


# --- as an experiment ---


def experiment(configurations: Configurations, spark: SparkSession, folder: Path, **settings: Any) -> Run:
    """Each executor gets the next trial when it has done with the last."""
    config = HyperparameterOptConfig(
        num_trials=len(configurations),
        optimizer="gridsearch",  # hands the numbers out in this order
        searchspace=Searchspace(number=("DISCRETE", list(range(len(configurations))))),
        direction="max",
        experiment_dir=folder / f"experiment-{time.monotonic_ns()}",
        **settings,
    )
    function = partial(train_numbered, configurations=configurations, data=folder / DATA)
    began = time.perf_counter()
    result = lagom(function, config, engine=SparkEngine(spark), verbose=0)
    wall_s = time.perf_counter() - began
    curves = {trial.trial_id: trial.metric_history for trial in result.chronicle.ended}
    trials = [
        {
            "validation": curves[trial.trial_id],
            "test": trial.metric_dict["test"] if trial.metric_dict else None,
            "seconds": trial.metric_dict["seconds"] if trial.metric_dict else trial.run_s,
        }
        for trial in result.trials
    ]
    return {"wall_s": wall_s, "trials": trials}


def train_numbered(number, reporter, *, configurations, data):  # type: ignore[no-untyped-def]
    trial = train((number, configurations[number]), data, reporter.broadcast)
    return {"Metric": trial["validation"][-1], "test": trial["test"], "seconds": trial["seconds"]}


METHODS: dict[str, Callable[[Configurations, SparkSession, Path], Run]] = {
    STAGES: stages,
    ONE_STAGE: one_stage,
    **{name: partial(experiment, **settings) for name, settings in EXPERIMENTS.items()},
}


def once(method: str, number: int, trials: float, spark: SparkSession, folder: Path) -> Run:
    return METHODS[method](draw(int(trials), seed=number), spark, folder)


if __name__ == "__main__":
    sys.exit(main(METHODS, once))
