"""Optuna, one process with two threads on SQLite: `python -m benchmarks.faults.optuna_driver FOLDER INTERVAL_S`."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.faults.driver import contestant
from benchmarks.faults.optuna_sqlite import load, search, with_result
from benchmarks.faults.work import SHORT_TRIAL_S, WORKERS


def drive(folder: str, interval_s: str) -> Iterable[int]:
    study = load(folder, int(interval_s))
    search(study, folder, SHORT_TRIAL_S, n_jobs=WORKERS)
    return with_result(study)


if __name__ == "__main__":
    contestant(drive)
