"""The call that both sides make, word for word, and Spark as both use it."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.tuning import WORKERS
from benchmarks.tuning.problem import KEY, SHIFTS, digest, frame, gap


def main(tune: Any) -> None:
    """Search in two partitions first, so that both sides have loaded their code; then time all, and print it.

    tune  the module: theirs, or the one here that stands in for it
    """
    engine, partitions = sys.argv[1], int(sys.argv[2])
    logging.disable(logging.WARNING)
    if engine == "spark":
        start_spark()
    first_s, _ = timed(tune, engine, 2)
    seconds, best = timed(tune, engine, partitions)
    told = {"seconds": seconds, "first_s": first_s, "candidates": partitions * len(SHIFTS), "best": best}
    print(json.dumps(told | {"load": os.getloadavg()[0]}))


def timed(tune: Any, engine: str, partitions: int) -> tuple[float, str]:
    """Seconds that the call takes, and what it has found."""
    rows = frame(partitions)
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        reports = tune.suggest_for_noniterative_objective(
            gap,
            tune.Space(shift=tune.Grid(*SHIFTS)),
            df=rows,
            df_name="rows",
            partition_keys=[KEY],
            temp_path=folder,
            execution_engine=engine,
        )
        seconds = time.perf_counter() - began
    return seconds, digest((report.trial.keys[0], report.params.simple_value["shift"]) for report in reports)


def start_spark() -> None:
    """The session that both will find. `spark.sql.shuffle.partitions` is 200 by default, a handicap on two cores."""
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else Spark's workers are another Python
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(f"local[{WORKERS}]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", str(WORKERS))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
