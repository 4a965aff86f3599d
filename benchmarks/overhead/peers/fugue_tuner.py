"""Fugue-Tune: `suggest_for_noniterative_objective` over a random sample of the space.

On Spark every trial is a task of one job, on two cores; natively all run one after the other in the calling process.
There it is told not to distribute, or each would be a partition of its own, which costs some 2 ms of processor time.
"""

from __future__ import annotations

import logging
import time
from functools import partial

from benchmarks.overhead import work
from benchmarks.overhead.peers.measure import Objective, measure, scratch, tell
from benchmarks.overhead.peers.spark import session

NOTES = {
    "spark": "no intermediate reports in a random search; all trials are drawn before the first",
    "native": "no intermediate reports in a random search; sequential, in the calling process; nothing is kept",
}


def main() -> None:
    asked = work.arguments(*NOTES)
    logging.disable(logging.WARNING)
    began = time.perf_counter()
    import tune

    import_s = time.perf_counter() - began
    assert tune.Space
    on_spark = asked.variant == "spark"
    workers = work.WORKERS if on_spark else 1
    with scratch() as folder:
        find = partial(search, folder=folder, on_spark=on_spark)
        try:
            figures = measure(find, asked, folder, workers=workers, lasting=not on_spark)
        finally:
            if on_spark:
                session(folder).stop()
    tell(figures, import_s=import_s, packages=["tune", "fugue", "pyspark"], notes=NOTES[asked.variant])


def search(objective: Objective, number: int, folder: str, on_spark: bool) -> float:
    import tune

    def with_types(x: float) -> float:
        return objective(x)

    tune.suggest_for_noniterative_objective(
        with_types,
        tune.Space(x=tune.Rand(0.0, 1.0)).sample(number, work.SEED),
        temp_path=f"{folder}/temp",
        distributed=on_spark,
        execution_engine=session(folder) if on_spark else "native",
    )
    return time.perf_counter()


if __name__ == "__main__":
    main()
