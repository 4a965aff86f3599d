"""Trials that take no time: how many a second, whether that stays so, and the memory that each leaves behind."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import harmonic_mean

from benchmarks.functions import nothing
from benchmarks.measure import Figure, Settings, Target, alternate, in_fresh_process
from benchmarks.searches import Watch, WatchedSearch, draws, pool_search, search

WARM = 1000  # trials after which a run counts
CHUNK = 1000


def run(settings: Settings) -> list[Figure]:
    trials = settings.pick(10_000, 4_000)
    watches, pools = alternate(
        settings.pick(5, 1),
        lambda: in_fresh_process(watch_search, trials, settings.folder),
        lambda: in_fresh_process(watch_pool, trials),
    )
    rates = [chunk_rates(watch.ended_at) for watch in watches]
    pool_rates = [chunk_rates(ended_at) for ended_at in pools]
    return [
        Figure(
            name="no-op trials, local",
            unit="trials/s",
            ours=list(map(harmonic_mean, rates)),
            reference=list(map(harmonic_mean, pool_rates)),
            beside="process pool",
            targets=[Target(at_least=2000)],
        ),
        Figure(
            name=f"no-op trials, last {CHUNK:,} of {trials:,}",
            unit="trials/s",
            ours=[chunks[-1] for chunks in rates],
            reference=[chunks[0] for chunks in rates],
            beside=f"trials {WARM:,} to {WARM + CHUNK:,}",
            targets=[Target(of="ratio", at_least=0.8)],
        ),
        Figure(
            name="driver memory per no-op trial",
            unit="KiB",
            ours=[watch.kib_per_trial(after=WARM) for watch in watches],
            targets=[Target(at_most=2)],
        ),
    ]


def watch_search(trials: int, folder: Path) -> Watch:
    optimizer = WatchedSearch()
    search(nothing, trials, engine="local", folder=folder, optimizer=optimizer)
    return optimizer.watch


def watch_pool(trials: int) -> list[float]:
    return pool_search(nothing, draws(trials))[1]


def chunk_rates(ended_at: list[float]) -> list[float]:
    """Trials per second in each chunk after the warm-up."""
    return [CHUNK / (end - start) for start, end in pairwise(ended_at[WARM - 1 :: CHUNK])]
