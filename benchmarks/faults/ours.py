"""Ours: `python -m benchmarks.faults.ours FOLDER KILLS ENGINE VICTIM`.

The victim is the worker process, or what holds it: the Python task of Spark, the process of Dask or Ray that its
supervisor lives in, or the executor of Spark.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults.killer import Killer
from benchmarks.faults.work import TRIAL_S, TRIALS, WORKERS, aftermath, ancestor, answer, attempts, parent, train
from maggy import Searchspace, lagom
from maggy.brain.events import WorkerJoined, WorkerLost
from maggy.config import HyperparameterOptConfig
from maggy.journal import ExperimentFolder, read
from maggy.result import Result

VICTIMS: dict[str, Callable[[int], int]] = {
    "worker": int,
    "holder": lambda pid: parent(parent(pid)),  # between the two is the guard
    "executor": lambda pid: ancestor(pid, "CoarseGrainedExecutorBackend"),
}


def trial(number: int, reporter: Any, folder: str, seconds: float = TRIAL_S) -> float:
    return train(folder, number, lambda step: reporter.broadcast(float(number), step), seconds)


def config(folder: str) -> HyperparameterOptConfig:
    """A search whose trials are told apart by their one hyperparameter; everything else as it comes."""
    return HyperparameterOptConfig(
        num_trials=TRIALS,
        optimizer="gridsearch",
        searchspace=Searchspace(number=("DISCRETE", list(range(TRIALS)))),
        es_policy="none",
        num_workers=WORKERS,
        experiment_dir=Path(folder, "run"),
    )


@contextmanager
def engine(name: str) -> Iterator[Any]:
    """What `lagom` is given as its engine."""
    if name == "local-cluster":
        from benchmarks.faults.spark_cluster import session
        from maggy.engine.spark_cluster import provide_java_for_spark

        provide_java_for_spark()
        with session("local-cluster[2,1,1024]"):
            yield "spark"
    elif name == "dask":
        from distributed import Client, LocalCluster

        with (
            LocalCluster(
                n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster),
        ):
            yield name
    else:
        yield name


def with_result(result: Result) -> set[int]:
    return {each.params["number"] for each in result.trials if each.final_metric is not None}


def noticed_at(run: str) -> list[float]:
    """When the driver came to know that a worker was gone: by itself, or by the one that came in its place."""
    return [
        record.t
        for record in read(ExperimentFolder.open(run))
        if isinstance(record.event, WorkerLost)
        or (isinstance(record.event, WorkerJoined) and record.event.replaces is not None)
    ]


def main() -> None:
    folder, kills, name, victim = sys.argv[1:]
    killer = Killer(folder, int(kills), victim=VICTIMS[victim])
    with engine(name) as found:
        killer.start()
        result = lagom(partial(trial, folder=folder), config(folder), engine=found, verbose=0)
        answer(
            kills=aftermath(killer.kills, attempts(folder), noticed_at(result.experiment_dir)),
            lost=TRIALS - len(with_result(result)),
        )


if __name__ == "__main__":
    main()
    os._exit(0)  # what was killed is not waited for
