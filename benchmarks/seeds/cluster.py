"""A Spark session on two executors, each a process of its own with one core."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EXECUTORS = 2
PATIENCE_S = 60.0


@contextmanager
def session(folder: Path) -> Iterator[SparkSession]:
    """A session whose executors are there, and have started the Python that runs its tasks.

    folder  what executors write lies below it
    """
    import pyspark

    from maggy.engine.spark_cluster import provide_java_for_spark

    home = folder / "spark"
    home.mkdir(parents=True)
    for part in ("bin", "jars", "python", "sbin"):
        (home / part).symlink_to(Path(pyspark.__file__).parent / part)
    os.environ |= {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    provide_java_for_spark()

    builder = pyspark.sql.SparkSession.builder.master(f"local-cluster[{EXECUTORS},1,1024]")
    settings = {
        "spark.executor.memory": "512m",
        "spark.log.level": "OFF",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        wait_for_executors(spark)
        yield spark
    finally:
        spark.stop()


def wait_for_executors(spark: SparkSession) -> None:
    """Raises RuntimeError if tasks do not run on every executor before long."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        tasks = spark.sparkContext.parallelize(range(EXECUTORS), EXECUTORS).map(folder_of_executor)
        if len(set(tasks.collect())) == EXECUTORS:
            return
    raise RuntimeError(f"fewer than {EXECUTORS} executors of Spark were ready within {PATIENCE_S:g} s")


def folder_of_executor(_: int) -> str:
    """Which executor this is; it stays busy for so long that another one gets the next task."""
    import benchmarks.seeds.training  # noqa: F401  trials do not wait for it any more

    time.sleep(0.1)
    return os.getcwd()
