"""Stages of as many tasks as there are workers: `python -m benchmarks.faults.spark_stages FOLDER KILLS VICTIM`.

The victim is the Python process of a task, on local[2,4], or the executor.
"""

from __future__ import annotations

import sys

from benchmarks.faults.killer import Killer
from benchmarks.faults.spark_cluster import session
from benchmarks.faults.work import TRIALS, WORKERS, aftermath, ancestor, answer, attempts, is_over, train


def main() -> None:
    from maggy.engine.spark_cluster import provide_java_for_spark

    folder, kills, victim = sys.argv[1:]
    provide_java_for_spark()
    executor = victim == "executor"
    with session("local-cluster[2,1,1024]" if executor else "local[2,4]") as spark:
        killer = Killer(
            folder,
            int(kills),
            victim=(lambda pid: ancestor(pid, "CoarseGrainedExecutorBackend")) if executor else int,
        )
        killer.start()
        results: list[float] = []
        for first in range(0, TRIALS, WORKERS):
            if is_over(folder):
                break
            batch = spark.sparkContext.parallelize(range(first, first + WORKERS), WORKERS)
            results += batch.map(lambda number: train(folder, number)).collect()
        ran = attempts(folder)
        answer(
            kills=aftermath(killer.kills, ran),
            lost=len({attempt.trial for attempt in ran} - {int(each) for each in results}),
        )


if __name__ == "__main__":
    main()
