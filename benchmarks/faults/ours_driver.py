"""Ours: `python -m benchmarks.faults.ours_driver FOLDER ENGINE`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from benchmarks.faults.driver import contestant
from benchmarks.faults.ours import config, trial, with_result
from benchmarks.faults.work import SHORT_TRIAL_S
from maggy import lagom


def drive(folder: str, engine: str) -> Iterable[int]:
    function = partial(trial, folder=folder, seconds=SHORT_TRIAL_S)
    run = Path(folder, "run")
    return with_result(lagom(function, config(folder), engine=engine, resume=run if run.exists() else None, verbose=0))


if __name__ == "__main__":
    contestant(drive)
