"""Hyperopt's SparkTrials: `fmin` with its random search, each trial a Spark job with one task, two at a time.

Two suggestions are made ahead, as many as run at a time. Twice a search waits a whole second that nobody can shorten:
where it looks whether trials have ended, and where it starts the next.
"""

from __future__ import annotations

import logging
import time
from functools import partial

from benchmarks.overhead import work
from benchmarks.overhead.peers.measure import Objective, measure, scratch, tell
from benchmarks.overhead.peers.spark import session

NOTES = "no intermediate reports; looks for ended trials once a second"


def main() -> None:
    asked = work.arguments()
    logging.disable(logging.WARNING)
    began = time.perf_counter()
    import hyperopt
    import pyspark.sql  # noqa: F401

    import_s = time.perf_counter() - began
    assert hyperopt.SparkTrials
    with scratch() as folder:
        try:
            figures = measure(partial(search, folder=folder), asked, folder, lasting=False)
        finally:
            session(folder).stop()
    tell(figures, import_s=import_s, packages=["hyperopt", "pyspark"], notes=NOTES)


def search(objective: Objective, number: int, folder: str) -> float:
    import hyperopt
    import numpy as np

    trials = hyperopt.SparkTrials(parallelism=work.WORKERS, spark_session=session(folder))
    hyperopt.fmin(
        objective,
        hyperopt.hp.uniform("x", 0.0, 1.0),
        algo=hyperopt.rand.suggest,
        max_evals=number,
        max_queue_len=work.WORKERS,
        trials=trials,
        rstate=np.random.default_rng(work.SEED),
        show_progressbar=False,
        verbose=False,
    )
    if trials.count_successful_trials() != number:
        raise RuntimeError("a trial failed")
    return time.perf_counter()


if __name__ == "__main__":
    main()
