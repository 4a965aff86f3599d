"""Optuna: `optimize` with the random sampler, in this process or in two that share a storage.

The two are started as its documentation does it, each an interpreter of its own that loads the study; half of the
trials is for each where trials are alike, else both go on until the study has enough of them (`MaxTrialsCallback`).
The storage is the file that it recommends where there is no database server (`JournalFileBackend`), or SQLite.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.overhead import work
from benchmarks.overhead.peers import trials
from benchmarks.overhead.peers.measure import driving, measure, scratch, tell
from benchmarks.overhead.peers.trials import note, noted

NOTES = {
    "process": "sequential, in the calling process; the study is in memory and gone with it",
    "journal": "each of the two processes searches and trains: memory is that of one, and of both",
    "sqlite": "each of the two processes searches and trains: memory is that of one, and of both",
}


def main() -> None:
    asked = work.arguments(*NOTES)
    began = time.perf_counter()
    import optuna

    import_s = time.perf_counter() - began
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with scratch() as folder:
        if asked.variant == "process":
            figures = measure(alone, asked, folder, reporting=alone, judging=alone, workers=1)
        else:
            pair = partial(together, variant=asked.variant)
            figures = measure(pair, asked, folder, reporting=pair, judging=pair, driven_here=False)
    tell(figures, import_s=import_s, packages=["optuna", "sqlalchemy"], notes=NOTES[asked.variant])


def alone(objective: Any, number: int) -> float:
    """One process and one thread."""
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(work.SEED), pruner=pruner(objective))
    study.optimize(suggested(objective), n_trials=number)
    return time.perf_counter()


def together(objective: Any, number: int, variant: str) -> float:
    """Two processes that share a storage."""
    import optuna

    notes = objective.keywords["notes"]
    optuna.create_study(study_name="study", storage=storage(variant, notes))
    context = multiprocessing.get_context("spawn")
    pair = [context.Process(target=join, args=(objective, number, variant, place)) for place in range(work.WORKERS)]
    for process in pair:
        process.start()
    for process in pair:
        process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"a process ended with {process.exitcode}")
    return max(said["ended"] for said in noted(notes, "ended"))


def join(objective: Any, number: int, variant: str, place: int) -> None:
    """One of the two."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    notes = objective.keywords["notes"]
    sampler = optuna.samplers.RandomSampler(work.SEED + place)
    study = optuna.load_study(
        study_name="study", storage=storage(variant, notes), sampler=sampler, pruner=pruner(objective)
    )
    with driving(notes):
        if objective.func is trials.spread:
            until = optuna.study.MaxTrialsCallback(number, states=None)
            study.optimize(suggested(objective), callbacks=[until])
        else:
            study.optimize(suggested(objective), n_trials=number // work.WORKERS + (place < number % work.WORKERS))
        note(notes, ended=time.perf_counter())


def storage(variant: str, notes: str) -> Any:
    """Where a study is kept."""
    if variant == "sqlite":
        from optuna.storages import RDBStorage

        return RDBStorage(f"sqlite:///{notes}.db", engine_kwargs={"connect_args": {"timeout": 60}})
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(f"{notes}.log"))


def suggested(objective: Any) -> Callable[[Any], float]:
    """The objective as Optuna calls it."""

    def run(trial: Any) -> float:
        x = trial.suggest_float("x", 0.0, 1.0)
        if objective.func is trials.reports:
            judged = objective.keywords.get("judged")
            return objective(x, report=partial(judged_report, trial) if judged else trial.report)  # type: ignore[no-any-return]
        return objective(x)  # type: ignore[no-any-return]

    return run


def judged_report(trial: Any, metric: float, step: int) -> None:
    """What its training loops do at a step."""
    trial.report(metric, step)
    if trial.should_prune():
        raise RuntimeError("all trials are alike, and one was pruned")


def pruner(objective: Any) -> Any:
    """The median rule, from the second trial on, where steps are judged."""
    from optuna.pruners import MedianPruner, NopPruner

    return MedianPruner(n_startup_trials=1) if objective.keywords.get("judged") else NopPruner()


if __name__ == "__main__":
    main()
