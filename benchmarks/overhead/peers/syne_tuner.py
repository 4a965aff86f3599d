"""Syne Tune with its local backend, which starts an interpreter for each trial: this file, with the trial's arguments.

Its tuner sleeps between two looks at the trials, 5 seconds where nothing else is asked for: here 50 ms, the least that
leaves its own work room on two cores. It saves results, as it does by itself, but not its own state.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import time
from contextlib import redirect_stdout
from typing import Any

from benchmarks.overhead import work
from benchmarks.overhead.peers import trials
from benchmarks.overhead.peers.measure import measure, scratch, tell

LOOK_EVERY_S = 0.05
NOTES = "an interpreter for each trial; its reports are lines of output, which the tuner reads when it looks"


def main() -> None:
    asked = work.arguments()
    began = time.perf_counter()
    import syne_tune.backend
    import syne_tune.optimizer.baselines  # noqa: F401

    import_s = time.perf_counter() - began
    logging.disable(logging.WARNING)
    with scratch() as folder:
        os.environ["SYNETUNE_FOLDER"] = folder
        figures = measure(search, asked, folder, reporting=search, lasting=False)
    tell(figures, import_s=import_s, packages=["syne-tune"], notes=NOTES)


def search(objective: Any, number: int) -> float:
    """Its tuner may start a trial more than it was asked for, where two workers become free at once."""
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.baselines import RandomSearch
    from syne_tune.results_callback import StoreResultsCallback
    from syne_tune.tuner_callback import TunerCallback

    ended = [0.0]

    class Watch(TunerCallback):  # type: ignore[misc]
        def on_trial_complete(self, trial: Any, result: dict[str, Any]) -> None:
            ended[0] = time.perf_counter()

    fixed = {"trial": objective.func.__name__, **objective.keywords}
    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=__file__, rotate_gpus=False),
        scheduler=RandomSearch({"x": uniform(0.0, 1.0), **fixed}, metrics=["loss"], random_seed=work.SEED),
        stop_criterion=StoppingCriterion(max_num_trials_started=number - 1),  # "more than"
        n_workers=work.WORKERS,
        sleep_time=LOOK_EVERY_S,
        wait_trial_completion_when_stopping=True,
        save_tuner=False,
        callbacks=[StoreResultsCallback(), Watch()],
    )
    with redirect_stdout(io.StringIO()):
        tuner.run()
    if tuner.tuning_status.num_trials_failed:
        raise RuntimeError("a trial failed")
    return ended[0]


def trial() -> None:
    """A trial, in its own interpreter."""
    from syne_tune import Reporter

    parser = argparse.ArgumentParser()
    parser.add_argument("--trial", required=True)
    parser.add_argument("--x", type=float, required=True)
    parser.add_argument("--notes", required=True)
    parser.add_argument("--number", type=int)
    told, _ = parser.parse_known_args()
    given: dict[str, Any] = {} if told.number is None else {"number": told.number}
    reporter = Reporter()
    if told.trial == "reports":
        given["report"] = lambda metric, step: reporter(loss=metric, step=step)
    reporter(loss=getattr(trials, told.trial)(told.x, told.notes, **given))


if __name__ == "__main__":
    trial() if "--trial" in sys.argv else main()
