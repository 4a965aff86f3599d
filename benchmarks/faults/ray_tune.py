"""Ray Tune, actors reused: `python -m benchmarks.faults.ray_tune FOLDER KILLS`, of the actors in which trials run."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import Any

import ray
from ray import tune

from benchmarks.faults.killer import Killer
from benchmarks.faults.work import TRIAL_S, TRIALS, WORKERS, aftermath, answer, attempts, train


class Notices(tune.Callback):
    """Writes down when a trial was found dead."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def on_trial_recover(self, **info: Any) -> None:
        self.at.append(time.time())


def trial(config: dict[str, int], folder: str, seconds: float = TRIAL_S) -> None:
    number = config["number"]
    tune.report({"loss": train(folder, number, lambda step: tune.report({"loss": float(number)}), seconds)})


def start() -> None:
    ray.init(
        address="local",
        num_cpus=WORKERS,
        include_dashboard=False,
        object_store_memory=100 << 20,
        logging_level="ERROR",
        log_to_driver=False,
    )


def tuner(trainable: Any, folder: str, *callbacks: tune.Callback) -> tune.Tuner:
    return tune.Tuner(
        trainable,
        param_space={"number": tune.grid_search(list(range(TRIALS)))},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(
            name="run",
            storage_path=folder,
            failure_config=tune.FailureConfig(max_failures=3),
            callbacks=list(callbacks),
            verbose=0,
        ),
    )


def main() -> None:
    folder, kills = sys.argv[1:]
    start()
    killer, notices = Killer(folder, int(kills)), Notices()
    killer.start()
    results = tuner(partial(trial, folder=folder), folder, notices).fit()
    followed = aftermath(killer.kills, attempts(folder), notices.at)
    lost = sum(result.error is not None for result in results)
    ray.shutdown()  # it prints until then
    answer(kills=followed, lost=lost)


if __name__ == "__main__":
    main()
    os._exit(0)
