"""Spark by hand, which is what many do today: one job for each batch of as many trials as there are slots, and the next
batch when the slowest of the last has ended; or one stage with a task for each trial, where nothing can be decided on
the way and nothing is known before the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.overhead import work

Run = Callable[[Callable[..., Any], Sequence[Any]], list[Any]]


def in_batches(context: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
    results: list[Any] = []
    for first in range(0, len(arguments), work.WORKERS):
        results += in_one_stage(context, function, arguments[first : first + work.WORKERS])
    return results


def in_one_stage(context: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
    return list(context.parallelize(arguments, len(arguments)).map(function).collect())


def begin_session() -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{work.WORKERS}]").config("spark.driver.host", "127.0.0.1")
    for waste in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
        builder = builder.config(waste, "false")
    return builder.getOrCreate().sparkContext


def main() -> None:
    asked = work.arguments("batches", "stage")
    begun = time.perf_counter()
    import pyspark.sql

    import_s = time.perf_counter() - begun
    from maggy.engine.java import provide_java

    provide_java(17)
    called = time.time()
    context = begin_session()
    run: Run = partial({"batches": in_batches, "stage": in_one_stage}[asked.variant], context)

    def start_s() -> float:
        return float(min(run(work.first_line, work.draws(work.WORKERS))))

    cold_start_s = start_s() - called
    begun = time.perf_counter()
    run(work.nothing, work.draws(asked.noop))
    noop_s = time.perf_counter() - begun
    called = time.time()
    warm_start_s = start_s() - called
    spans = run(work.nap, work.draws(asked.gap))
    durations_s = work.log_normal_durations_s(asked.spread)
    spread = run(partial(work.scheduled_nap, durations_s=durations_s), range(asked.spread))
    resident_mib = work.resident_mib()
    work.answer(
        import_s=import_s,
        start_s=cold_start_s,
        warm_start_s=warm_start_s,
        noop_per_s=asked.noop / noop_s,
        gap_ms=work.gaps_ms(spans),
        busy_pct=work.busy_pct(spans, work.WORKERS),
        spread_wall_s=work.wall_s(spread),
        spread_bound_s=work.list_schedule_s(durations_s, work.WORKERS),
        report_us=None,
        memory_kib_per_trial=None,
        memory_mib=resident_mib,
        memory_all_mib=resident_mib + work.helpers_mib(),
        versions={"pyspark": pyspark.__version__},
        notes="no search, nothing reported, nothing kept",
    )
    context.stop()


if __name__ == "__main__":
    sys.exit(main())
