"""`python -m benchmarks.seeds.equal_trials TRIALS REPEATS FOLDER`: the same configurations, trained in four ways.

Of each way: how long it took until all were done, and what each trial came to. All are trained to their end, but where
the median rule stops some.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness.settings import in_turn
from benchmarks.seeds import cluster
from benchmarks.seeds.training import Training, write_data
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.engine.spark import SparkEngine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EPOCHS, SELDOM = 100, 20
SPACE = Searchspace(
    lr=("DOUBLE", [1e-3, 1], {"log": True}),
    momentum=("DOUBLE", [0.0, 0.99]),
    batch=("INTEGER", [8, 256], {"log": True}),
    weight_decay=("DOUBLE", [1e-6, 1e-1], {"log": True}),
    init_scale=("DOUBLE", [0.3, 3], {"log": True}),
    width=("INTEGER", [16, 128], {"log": True}),
)
STAGES, ONE_STAGE = "bulk-synchronous stages of Spark", "one stage of Spark for all trials"
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "ours, asynchronous": {"es_policy": "none"},
    "ours, early stopping": {"es_policy": "median"},
    f"ours, early stopping, every {SELDOM} epochs": {"es_policy": "median", "es_interval": SELDOM},
}

Configurations = Sequence[Mapping[str, Any]]
Trials = list[dict[str, Any]]
"""Of each: number of its configuration, validation after each epoch, test, seconds."""


def draw(trials: int, seed: int) -> Configurations:
    """As random search draws them."""
    rng = np.random.default_rng(seed)
    return [SPACE.draw(rng) for _ in range(trials)]


def train(numbered: tuple[int, Mapping[str, Any]], data: Path, report: Callable[[float], Any]) -> dict[str, Any]:
    """Train a configuration to its end."""
    number, params = numbered
    began = time.perf_counter()
    training = Training(params, data, seed=number)
    validation = []
    for _ in range(EPOCHS):
        training.epoch()
        validation.append(training.accuracy("validation"))
        report(validation[-1])
    seconds = time.perf_counter() - began
    return {"number": number, "validation": validation, "test": training.accuracy("test"), "seconds": seconds}


# --- as stages of Spark ---


def stages(configurations: Configurations, spark: SparkSession, folder: Path) -> Trials:
    """As many trials as there are executors; when the last of them has returned, the next as many."""
    numbered = [*enumerate(configurations)]
    batches = (numbered[place : place + cluster.EXECUTORS] for place in range(0, len(numbered), cluster.EXECUTORS))
    return [trial for batch in batches for trial in one_stage(batch, spark, folder)]


def one_stage(numbered: Sequence[tuple[int, Mapping[str, Any]]], spark: SparkSession, folder: Path) -> Trials:
    """Each trial a task, and no word until all have returned."""
    tasks = spark.sparkContext.parallelize(numbered, len(numbered))
    return tasks.map(partial(train, data=folder / "data.npz", report=unheard)).collect()


def unheard(_: float) -> None:
    """Tasks of Spark have nobody to report to."""


# --- as an experiment ---


def experiment(configurations: Configurations, spark: SparkSession, folder: Path, **settings: Any) -> Trials:
    """Each executor gets the next trial when it has done with the last."""
    config = HyperparameterOptConfig(
        num_trials=len(configurations),
        optimizer="gridsearch",  # hands the numbers out in this order
        searchspace=Searchspace(number=("DISCRETE", list(range(len(configurations))))),
        direction="max",
        experiment_dir=folder / f"experiment-{time.monotonic_ns()}",
        **settings,
    )
    function = partial(train_numbered, configurations=configurations, data=folder / "data.npz")
    result = lagom(function, config, engine=SparkEngine(spark), verbose=0)
    curves = {trial.trial_id: trial.metric_history for trial in result.chronicle.ended}
    return [
        {
            "number": trial.params["number"],
            "validation": curves[trial.trial_id],
            "test": trial.metric_dict["test"] if trial.metric_dict else None,
            "seconds": trial.metric_dict["seconds"] if trial.metric_dict else trial.run_s,
        }
        for trial in result.trials
    ]


def train_numbered(number, reporter, *, configurations, data):  # type: ignore[no-untyped-def]
    trial = train((number, configurations[number]), data, reporter.broadcast)
    return {"Metric": trial["validation"][-1], "test": trial["test"], "seconds": trial["seconds"]}


METHODS: dict[str, Callable[[Configurations, SparkSession, Path], Trials]] = {
    STAGES: stages,
    ONE_STAGE: lambda configurations, spark, folder: one_stage([*enumerate(configurations)], spark, folder),
    **{name: partial(experiment, **settings) for name, settings in EXPERIMENTS.items()},
}


def main() -> int:
    trials, repeats, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    write_data(folder / "data.npz")
    count = dict.fromkeys(METHODS, 0)

    def run(method: str) -> dict[str, Any]:
        count[method] += 1
        configurations = draw(trials, seed=count[method])
        began = time.perf_counter()
        done = METHODS[method](configurations, spark, folder)
        return {"wall_s": time.perf_counter() - began, "trials": done}

    def failed(method: str, reason: str) -> None:
        raise SystemExit(f"{method}: {reason}")

    with cluster.session(folder) as spark:
        found = in_turn(repeats, list(METHODS), run, failed)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
