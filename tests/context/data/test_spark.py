"""A Spark DataFrame is written and read by executors alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from maggy import lagom
from maggy.config import BaseConfig
from maggy.context.data import materialise, resolve
from maggy.engine.spark import SparkEngine

pytestmark = pytest.mark.spark


def memory_bytes(kind: str) -> int:
    """Of this process: "VmRSS" is what it has in memory, "VmHWM" the most that it has had."""
    [kilobytes] = re.findall(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) << 10


def growth_bytes(act: Callable[[], None]) -> int:
    """By how much the memory of this process grew at most meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory_bytes("VmRSS")
    act()
    return memory_bytes("VmHWM") - before


def test_a_table_of_several_partitions_never_passes_through_the_driver(spark, tmp_path):
    rows = 10_000_000
    table = spark.range(0, rows, numPartitions=4).selectExpr("id", "id * 0.1D AS x")

    def train(train_set):
        import pyarrow.compute as pc

        count = total = 0
        for batch in train_set.to_batches(columns=["id"], batch_size=100_000):
            count, total = count + batch.num_rows, total + pc.sum(batch["id"]).as_py()
        return {"Metric": float(count), "total": total, "files": len(train_set.files)}

    results = []

    def run():
        config = BaseConfig(train_set=table, experiment_dir=tmp_path / "run")
        results.append(lagom(train, config, engine=SparkEngine(spark), verbose=0))

    spark.conf.set("spark.sql.parquet.compression.codec", "uncompressed")
    try:
        grown = growth_bytes(run)
    finally:
        spark.conf.unset("spark.sql.parquet.compression.codec")

    written = sum(path.stat().st_size for path in tmp_path.glob("run/data/train_set/*.parquet"))
    assert results[0].trials[0].metric_dict == {"Metric": 1e7, "total": rows * (rows - 1) // 2, "files": 4}
    assert written > 150_000_000
    assert grown < written / 5


def test_a_table_is_written_once_and_again_where_it_was_not_written_to_the_end(spark, tmp_path):
    def write(rows):
        return materialise("train_set", spark.range(rows).toDF("id"), str(tmp_path), "e")

    handle = write(10)
    assert handle.size_bytes > 0 and handle.outline.columns == ("id",)
    assert write(20) == handle and resolve(handle).count_rows() == 10

    (tmp_path / "data/train_set/_manifest.json").unlink()  # killed before its end
    (tmp_path / "data/.train_set.begun").touch()
    assert resolve(write(20)).count_rows() == 20
