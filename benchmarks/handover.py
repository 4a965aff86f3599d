"""The gap between the end of a trial and the start of the next on the same worker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from benchmarks.functions import nap
from benchmarks.measure import Figure, Settings, Target, alternate, p50, p99
from benchmarks.searches import draws, pool_search, search, told

AT_MOST_1_5X = Target(of="ratio", at_most=1.5)


def run(settings: Settings) -> list[Figure]:
    trials = settings.pick(200, 60)

    def ours() -> list[float]:
        return gaps_ms(told(search(nap, trials, engine=settings.engine, folder=settings.folder)))

    gaps, pool_gaps = alternate(settings.pick(5, 1), ours, lambda: gaps_ms(pool_search(nap, draws(trials))[0]))
    return [
        Figure(
            name=f"hand-over {name}, {settings.engine}",
            unit="ms",
            ours=[quantile(of_round) for of_round in gaps],
            reference=[quantile(of_round) for of_round in pool_gaps],
            beside="process pool",
            targets=targets,
        )
        for name, quantile, targets in (
            ("p50", p50, [Target(at_most=1.0), AT_MOST_1_5X]),
            ("p99", p99, [AT_MOST_1_5X]),
        )
    ]


def gaps_ms(trials: Iterable[Mapping[str, float]]) -> list[float]:
    """Every gap but each worker's first, in which code is still loaded."""
    by_worker: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for trial in trials:
        by_worker[trial["worker"]].append((trial["start_ns"], trial["end_ns"]))
    return [
        (after[0] - before[1]) / 1e6
        for spans in by_worker.values()
        for before, after in list(pairwise(sorted(spans)))[1:]
    ]
