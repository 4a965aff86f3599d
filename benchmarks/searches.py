"""The same search, run by Maggy and by a bare process pool."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.measure import resident_bytes
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.optimizer import RandomSearch
from maggy.optimizer.base import Report
from maggy.result import Result

WORKERS = 2
SEED = 1
SAMPLE_EVERY = 500
SPACE = Searchspace(x=("DOUBLE", [0.0, 1.0]))


@dataclass
class Watch:
    """When each trial ended, and the driver's memory after every `SAMPLE_EVERY`."""

    ended_at: list[float] = field(default_factory=list)
    resident: dict[int, int] = field(default_factory=dict)

    def kib_per_trial(self, after: int) -> float:
        """Growth of the driver's memory from trial `after` to the last sample."""
        last = max(self.resident)
        return (self.resident[last] - self.resident[after]) / (last - after) / 1024


class WatchedSearch(RandomSearch):
    """Random search that notes, in the driver's own thread, how the search goes."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()

    def observe(self, report: Report) -> None:
        watch = self.watch
        watch.ended_at.append(perf_counter())
        if len(watch.ended_at) % SAMPLE_EVERY == 0:
            watch.resident[len(watch.ended_at)] = resident_bytes()


class _Terminal(io.StringIO):
    """Takes the live progress line as a terminal would."""

    def isatty(self) -> bool:
        return True


_numbers = count()


def search(
    function: Callable[..., Any],
    num_trials: int,
    *,
    engine: str,
    folder: Path,
    space: Searchspace = SPACE,
    optimizer: Any = "randomsearch",
    **options: Any,
) -> Result:
    """Maggy's side: as a user in a terminal would call it, with the live progress line going nowhere."""
    config = HyperparameterOptConfig(
        num_trials=num_trials,
        optimizer=optimizer,
        searchspace=space,
        direction="min",
        num_workers=WORKERS,
        seed=SEED,
        experiment_dir=folder / f"{engine}-{os.getpid()}-{next(_numbers)}",
        **({"es_policy": "none"} | options),
    )
    with redirect_stderr(_Terminal()):
        result = lagom(function, config, engine=engine)
    if result["failed"]:
        raise RuntimeError(f"{result['failed']} trials failed, the first with:\n{result.failed_trials[0].traceback}")
    return result


def told(result: Result) -> list[dict[str, Any]]:
    """What each trial returned, for functions that return a dict."""
    return [dict(trial.metric_dict or {}) for trial in result.trials]


def draws(num_trials: int, space: Searchspace = SPACE) -> Iterator[dict[str, Any]]:
    """The configurations that random search tries, drawn when they are asked for."""
    return (space.draw(np.random.default_rng([SEED, number])) for number in range(num_trials))


def pool_search(function: Callable[..., Any], configs: Iterator[dict[str, Any]]) -> tuple[list[Any], list[float]]:
    """The floor: the next configuration is drawn and submitted when a trial has ended; nothing is kept but results.

    Returns what the trials returned and when, both in the order in which they ended.
    """
    results, ended_at = [], []
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(function, **config) for config in islice(configs, WORKERS)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                results.append(future.result())
                ended_at.append(perf_counter())
                running |= {pool.submit(function, **config) for config in islice(configs, 1)}
    return results, ended_at
