"""The work that all contestants do, and what is made of it. Only the standard library: every worker loads this."""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

WORKERS = 2
SEED = 1
MEAN_S, SIGMA = 0.2, 1.0
TRAINING = ("ray::", "pyspark.daemon", "pyspark/daemon", "multiprocessing.spawn", "loky")
"""In the command lines of processes that train."""


def nothing(x: float) -> float:
    """A trial that takes no time."""
    return x


def first_line(x: float) -> float:
    """When a trial began, in seconds since the epoch."""
    return time.time()


def nap(x: float) -> dict[str, float]:
    """A trial of 45 to 55 ms that says when it ran.

    It sleeps, so that it takes no core from anybody. Durations differ, because workers that were once served together
    would else end together, again and again, or never: some runs would measure one case and some the other.
    """
    start = time.perf_counter()
    time.sleep(0.045 + 0.01 * x)
    return {"worker": os.getpid(), "start": start, "end": time.perf_counter()}


def scheduled_nap(index: int, durations_s: Sequence[float]) -> dict[str, float]:
    """The trial with this number, of a list of given durations."""
    start = time.perf_counter()
    time.sleep(durations_s[index])
    return {"worker": os.getpid(), "start": start, "end": time.perf_counter()}


def us_per_report(report: Callable[[float, int], Any], calls: int) -> float:
    """Microseconds for each call with a metric and a step, within a trial."""
    start = time.perf_counter()
    for step in range(calls):
        report(0.5, step)
    return (time.perf_counter() - start) * 1e6 / calls


def draws(number: int) -> list[float]:
    """What a random search of one hyperparameter in 0..1 tries, for who brings no search."""
    generator = random.Random(SEED)
    return [generator.random() for _ in range(number)]


def log_normal_durations_s(number: int) -> list[float]:
    """Seconds; the few long ones are what a synchronous batch waits for."""
    generator = random.Random(SEED)
    drawn = [generator.lognormvariate(0.0, SIGMA) for _ in range(number)]
    return [duration * MEAN_S * number / sum(drawn) for duration in drawn]


def list_schedule_s(durations_s: Sequence[float], workers: int) -> float:
    """When the last trial ends if each, in this order, goes to the first worker that is free, at no cost."""
    free_at = [0.0] * workers
    for duration_s in durations_s:
        heapq.heapreplace(free_at, free_at[0] + duration_s)
    return max(free_at)


def gaps_ms(spans: Iterable[Mapping[str, float]]) -> list[float]:
    """Every gap on the same worker but each worker's first, in which code is still loaded."""
    by_worker: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for span in spans:
        by_worker[span["worker"]].append((span["start"], span["end"]))
    return [
        (after[0] - before[1]) * 1e3
        for spans_there in by_worker.values()
        for before, after in list(pairwise(sorted(spans_there)))[1:]
    ]


def busy_pct(spans: Sequence[Mapping[str, float]], workers: int) -> float:
    """What of the time of all workers, from the first start to the last end, was spent in trials."""
    return 100 * sum(span["end"] - span["start"] for span in spans) / (workers * wall_s(spans))


def wall_s(spans: Sequence[Mapping[str, float]]) -> float:
    """From the start of the first trial to the end of the last."""
    return max(span["end"] for span in spans) - min(span["start"] for span in spans)


def resident_mib(pid: int | str = "self") -> float:
    """Memory that a process holds now; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def helpers_mib() -> float:
    """Memory of the processes that this one has started and that do not train."""
    return sum(resident_mib(pid) for pid in descendants(os.getpid()) if not trains(pid))


def trains(pid: int) -> bool:
    """Whether a process is one that trains."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return any(word in command for word in TRAINING)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children[int(stat.read_text().rpartition(")")[2].split()[1])].append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    found = list(children[pid])
    for child in found:
        found += children[child]
    return found


def answer(**figures: Any) -> None:
    """Print what a contestant has measured, as its last line."""
    print(json.dumps(figures), flush=True)


def arguments(*variants: str) -> argparse.Namespace:
    """What a contestant is asked for: one of its variants, and numbers of trials."""
    parser = argparse.ArgumentParser()
    if variants:
        parser.add_argument("variant", choices=variants)
    for name in ("noop", "gap", "spread"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()
