"""Ray Tune: `python -m benchmarks.faults.ray_tune_driver FOLDER`, gone on with by `Tuner.restore`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from ray import tune

from benchmarks.faults.driver import contestant
from benchmarks.faults.ray_tune import start, trial, tuner
from benchmarks.faults.work import SHORT_TRIAL_S


def drive(folder: str) -> Iterable[int]:
    start()
    trainable = partial(trial, folder=folder, seconds=SHORT_TRIAL_S)
    run = Path(folder, "run")
    search = tune.Tuner.restore(str(run), trainable) if run.exists() else tuner(trainable, folder)
    return [result.config["number"] for result in search.fit() if result.metrics and "loss" in result.metrics]


if __name__ == "__main__":
    contestant(drive)
