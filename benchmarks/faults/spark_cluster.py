"""A Spark session whose executors can be killed, with ours and with the peers that use Spark."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@contextmanager
def session(master: str) -> Iterator[Any]:
    """A session on "local[2,4]", or on executors in processes of their own: "local-cluster[2,1,1024]"."""
    import pyspark
    from pyspark.sql import SparkSession

    with TemporaryDirectory(prefix="spark-") as home:  # executors write below SPARK_HOME
        for part in ("bin", "jars", "python", "sbin"):
            Path(home, part).symlink_to(Path(pyspark.__file__).parent / part)
        os.environ |= {"SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
        settings = {
            "spark.executor.memory": "512m",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "OFF",
        }
        builder = SparkSession.builder.master(master)
        for key, value in settings.items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
        try:
            yield spark
        finally:
            spark.stop()
