"""Trials of very different durations: how near the wall time comes to the best that this order allows."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks.functions import scheduled_nap
from benchmarks.measure import Figure, Settings, Target, alternate
from benchmarks.searches import SEED, WORKERS, pool_search, search, told
from maggy import Searchspace

TRIALS, MEAN_S, SIGMA = 60, 0.2, 1.0


def run(settings: Settings) -> list[Figure]:
    durations_s = log_normal_durations()
    bound_s = list_schedule_s(durations_s)
    space = Searchspace(index=("DISCRETE", list(range(TRIALS))))  # grid search hands them out in this order
    function = partial(scheduled_nap, durations_s=durations_s)

    def ours() -> float:
        result = search(
            function, TRIALS, engine=settings.engine, folder=settings.folder, space=space, optimizer="gridsearch"
        )
        return wall_s(told(result))

    def pool() -> float:
        return wall_s(pool_search(function, ({"index": index} for index in range(TRIALS)))[0])

    walls_s, pool_walls_s = alternate(settings.pick(3, 1), ours, pool)
    return [
        Figure(
            name=f"utilisation, log-normal, {settings.engine}",
            unit="%",
            ours=[100 * bound_s / wall for wall in walls_s],
            reference=[100 * bound_s / wall for wall in pool_walls_s],
            beside="process pool",
            targets=[Target(at_least=97)],
        )
    ]


def log_normal_durations() -> list[float]:
    """Seconds; the few long ones are what a synchronous batch waits for."""
    drawn = np.random.default_rng(SEED).lognormal(sigma=SIGMA, size=TRIALS)
    return list(map(float, drawn * MEAN_S / drawn.mean()))


def list_schedule_s(durations_s: Sequence[float], workers: int = WORKERS) -> float:
    """When the last trial ends if each, in this order, goes to the first worker that is free, at no cost."""
    free_at = [0.0] * workers
    for duration_s in durations_s:
        heapq.heapreplace(free_at, free_at[0] + duration_s)
    return max(free_at)


def wall_s(spans: Sequence[dict[str, float]]) -> float:
    """From the start of the first trial to the end of the last."""
    return max(span["end"] for span in spans) - min(span["start"] for span in spans)
