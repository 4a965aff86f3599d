"""`python -m benchmarks.search_quality.record [names...]`: train every configuration of the tables, and write them.

One file for each task, `curves/<name>.jsonl.gz`: a line that says what was trained, then a line for each configuration.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import repeat
from multiprocessing import get_context
from typing import Any

from benchmarks.search_quality.space import params_at
from benchmarks.search_quality.tables import CURVES
from benchmarks.search_quality.training import EPOCHS, TASKS

CONFIGS = {"digits_mlp": 1024, "teacher_mlp": 1024, "noisy_linear": 512, "boosting": 512}
"""How many, by task; powers of two, because that is where a Sobol sequence is even."""
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_quality.record", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(TASKS)}; all if none is given")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(TASKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(TASKS)}")
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes below; times are those of one core
    for name in arguments.names or TASKS:
        record(name, arguments.processes)


def record(name: str, processes: int) -> None:
    started = time.monotonic()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(train, repeat(name), range(CONFIGS[name]), configs(name), chunksize=8))
    CURVES.mkdir(exist_ok=True)
    path = CURVES / f"{name}.jsonl.gz"
    # without a time in its head, a file that is recorded again differs only where its content does
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for line in (head(name), *rows):
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    print(f"{name}: {len(rows)} configurations in {time.monotonic() - started:.0f} s, {path.stat().st_size:,} bytes")


def configs(name: str) -> list[dict[str, Any]]:
    """A scrambled Sobol sequence over the task's space, which fills it more evenly than chance."""
    from scipy.stats import qmc

    space = TASKS[name].space
    points = qmc.Sobol(len(space), rng=SEED).random(CONFIGS[name])
    return [{key: short(value) for key, value in params_at(space, point).items()} for point in points]


def train(name: str, index: int, params: dict[str, Any]) -> dict[str, Any]:
    """One configuration from its first epoch to its last; a generator of its own makes it repeatable alone."""
    import numpy as np

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # that it does not converge, that it overflows: the scores tell
        started = time.process_time()
        scores = list(TASKS[name].train(params, np.random.default_rng([SEED, index])))
        seconds = time.process_time() - started
    return {
        "params": params,
        "seconds_per_epoch": short(seconds / EPOCHS, 3),
        "validation": [short(validation, 4) for validation, _ in scores],
        "test": [short(test, 4) for _, test in scores],
    }


def head(name: str) -> dict[str, Any]:
    task = TASKS[name]
    return {
        "name": name,
        "description": task.description,
        "metric": task.metric,
        "direction": task.direction,
        "space": task.space,
        "epochs": EPOCHS,
        "recorded": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in ("numpy", "scikit-learn")},
    }


def short(value: Any, digits: int = 6) -> Any:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
