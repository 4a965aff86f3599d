"""From the call to the first line of the first training function, each time in a fresh interpreter, and the import."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from benchmarks.functions import first_line
from benchmarks.measure import Figure, Settings, Target, alternate
from benchmarks.searches import WORKERS, search


def run(settings: Settings) -> list[Figure]:
    return on_spark(settings) if settings.engine == "spark" else [*on_local(settings), importing(settings)]


def on_local(settings: Settings) -> list[Figure]:
    ours, pool = alternate(settings.pick(7, 2), lambda: probe("lagom"), lambda: probe("pool"))
    return [
        Figure(
            name="first trial, fresh interpreter, local",
            unit="s",
            ours=[first_s for _, first_s in ours],
            reference=[first_s for _, first_s in pool],
            beside="process pool",
            targets=[Target(at_most=1)],
        ),
        Figure(name="import of lagom and config before it", unit="ms", ours=[import_s * 1e3 for import_s, _ in ours]),
    ]


def on_spark(settings: Settings) -> list[Figure]:
    spark_trial(settings)  # warms the session: Python workers are forked from a daemon that is started once
    ours, job = alternate(settings.pick(5, 2), lambda: spark_trial(settings), spark_job)
    return [
        Figure(
            name="first trial, warm session, spark",
            unit="s",
            ours=ours,
            reference=job,
            beside="plain Spark job",
            targets=[Target(at_most=2)],
        )
    ]


def importing(settings: Settings) -> Figure:
    imports, nothing = alternate(
        settings.pick(15, 5), lambda: interpreter_ms("import maggy"), lambda: interpreter_ms("pass")
    )
    return Figure(
        name="import maggy, in a fresh interpreter",
        unit="ms",
        ours=imports,
        reference=nothing,
        beside="python -c pass",
        targets=[Target(at_most=150)],
    )


def probe(kind: str) -> tuple[float, float]:
    """Seconds for the import, and from the call to the first line of the first trial."""
    command = [sys.executable, "-m", "benchmarks.startup_probe", kind]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    imported_s, started_s = json.loads(answer.splitlines()[-1])
    return imported_s, started_s


def spark_trial(settings: Settings) -> float:
    called = time.time()
    result = search(first_line, WORKERS, engine="spark", folder=settings.folder)
    return float(result["best_val"]) - called


def spark_job() -> float:
    from pyspark import SparkContext

    called = time.time()
    return SparkContext.getOrCreate().parallelize(range(WORKERS), WORKERS).map(first_line).min() - called


def interpreter_ms(command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", command], check=True)
    return (time.perf_counter() - start) * 1e3
