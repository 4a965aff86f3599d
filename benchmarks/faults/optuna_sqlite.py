"""Optuna, two processes on SQLite with heartbeats: `python -m benchmarks.faults.optuna_sqlite FOLDER INTERVAL_S`.

A trial whose process has not said anything for twice the interval is found by another process when that begins its
next trial, and waits to be run once more. Nobody starts the process again.
"""

from __future__ import annotations

import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage, RetryFailedTrialCallback

from benchmarks.faults.killer import Killer
from benchmarks.faults.work import TRIAL_S, WORKERS, aftermath, answer, attempts, is_over, train


class Retry(RetryFailedTrialCallback):
    """Says when it was called: a trial was found dead."""

    def __init__(self, folder: str) -> None:
        super().__init__(max_retry=3)
        self._folder = folder

    def __call__(self, study: Any, trial: Any) -> None:
        with Path(self._folder, "noticed").open("a") as file:
            file.write(f"{time.time()}\n")
        super().__call__(study, trial)


def load(folder: str, interval_s: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = RDBStorage(
        f"sqlite:///{folder}/study.db",
        heartbeat_interval=interval_s,
        grace_period=2 * interval_s,
        failed_trial_callback=Retry(folder),
    )
    return optuna.create_study(
        study_name="faults", storage=storage, sampler=optuna.samplers.RandomSampler(), load_if_exists=True
    )


def work(folder: str, interval_s: int) -> None:
    """What each of the processes does."""
    search(load(folder, interval_s), folder)


def search(study: optuna.Study, folder: str, seconds: float = TRIAL_S, **options: Any) -> None:
    """Go on until it is over, however many trials that takes."""

    def objective(trial: optuna.Trial) -> float:
        number = trial.suggest_int("number", 0, 10**9)
        return train(folder, number, seconds=seconds)

    def leave(study: optuna.Study, trial: Any) -> None:
        if is_over(folder):
            study.stop()

    study.optimize(objective, callbacks=[leave], **options)


def with_result(study: optuna.Study) -> set[int]:
    return {trial.params["number"] for trial in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))}


def main() -> None:
    folder, interval_s = sys.argv[1], int(sys.argv[2])
    study = load(folder, interval_s)
    processes = [
        get_context("spawn").Process(target=work, args=(folder, interval_s), daemon=True) for _ in range(WORKERS)
    ]
    for process in processes:
        process.start()
    killer = Killer(folder, 1, until="rerun", patience_s=4.0 * interval_s + 20)
    killer.start()
    for process in processes:
        process.join()
    noticed = Path(folder, "noticed")
    noticed_at = [float(line) for line in noticed.read_text().split()] if noticed.exists() else []
    ran = attempts(folder)
    answer(
        kills=aftermath(killer.kills, ran, noticed_at),
        lost=len({attempt.trial for attempt in ran} - with_result(study)),
    )


if __name__ == "__main__":
    main()
