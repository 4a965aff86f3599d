"""Optuna, two processes on a journal file: `python -m benchmarks.stopping.optuna_journal FOLDER TRIALS TRIALS`.

Here a trial asks for its verdict itself, with `should_prune`, in its own process and as often as it likes.
"""

from __future__ import annotations

import sys
import time
from multiprocessing import get_context
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.stopping.work import STEPS_S, STOP_AT, WORKERS, answer, keep, kept, train


class PruneThere(optuna.pruners.BasePruner):
    """Prunes every trial at one step."""

    decided_at = 0.0

    def prune(self, study: Any, trial: Any) -> bool:
        self.decided_at = time.time()
        return bool(trial.last_step == STOP_AT)


def work(folder: str, name: str, step_s: float, trials: int, seed: int) -> None:
    """What each of the processes does."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = PruneThere()
    study = optuna.load_study(
        study_name=name, storage=storage(folder), sampler=optuna.samplers.RandomSampler(seed), pruner=pruner
    )

    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0.0, 1.0)

        def report(step: int) -> None:
            trial.report(x, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        told = train(step_s, report, optuna.TrialPruned)
        keep(folder, name, {**told, "decided_s": told["left_at"] - pruner.decided_at})
        raise optuna.TrialPruned

    study.optimize(objective, n_trials=trials)


def storage(folder: str) -> JournalStorage:
    return JournalStorage(JournalFileBackend(f"{folder}/journal"))


def main() -> None:
    folder, *trials = sys.argv[1:]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for step_s, number in zip(STEPS_S, trials, strict=True):
        optuna.create_study(study_name=str(step_s), storage=storage(folder))
        processes = [
            get_context("spawn").Process(target=work, args=(folder, str(step_s), step_s, int(number) // WORKERS, seed))
            for seed in range(WORKERS)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    told = kept(folder)
    answer({step_s: [each for each in told if each["trial"] == str(step_s)] for step_s in STEPS_S})


if __name__ == "__main__":
    main()
