"""Processes of the standard library, or of joblib: what a search would cost that decides, keeps and shows nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from itertools import islice
from typing import Any

from benchmarks.overhead import work


def spawned() -> Any:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return partial(ProcessPoolExecutor, work.WORKERS, mp_context=get_context("spawn"))


def loky() -> Any:
    from joblib.externals.loky import ProcessPoolExecutor

    return partial(ProcessPoolExecutor, work.WORKERS)


def run(pool: Any, function: Callable[..., Any], arguments: Iterable[Any]) -> Iterator[Any]:
    """What the function returns, in the order in which it ends; the next is submitted when one has ended."""
    rest = iter(arguments)
    running = {pool.submit(function, argument) for argument in islice(rest, work.WORKERS)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            running |= {pool.submit(function, argument) for argument in islice(rest, 1)}
            yield future.result()


def start_s(executor: Any) -> float:
    called = time.time()
    with executor() as pool:
        return min(run(pool, work.first_line, work.draws(work.WORKERS))) - called


def noop(pool: Any, trials: int) -> dict[str, float]:
    ended_at, resident_mib = [], []
    for _ in run(pool, work.nothing, work.draws(trials)):
        ended_at.append(time.perf_counter())
        if len(ended_at) in (trials // 10, trials):
            resident_mib.append(work.resident_mib())
    early, late = resident_mib
    return {
        "noop_per_s": (trials - 1) / (ended_at[-1] - ended_at[0]),
        "memory_kib_per_trial": (late - early) * 1024 / (trials - trials // 10),
    }


def main() -> None:
    asked = work.arguments("spawn", "loky")
    begun = time.perf_counter()
    executor = {"spawn": spawned, "loky": loky}[asked.variant]()
    figures: dict[str, Any] = {"import_s": time.perf_counter() - begun, "start_s": start_s(executor)}
    with executor() as pool:
        figures |= noop(pool, asked.noop)
        spans = list(run(pool, work.nap, work.draws(asked.gap)))
        durations_s = work.log_normal_durations_s(asked.spread)
        spread = list(run(pool, partial(work.scheduled_nap, durations_s=durations_s), range(asked.spread)))
    figures |= {"warm_start_s": start_s(executor), "memory_mib": work.resident_mib()}
    work.answer(
        **figures,
        gap_ms=work.gaps_ms(spans),
        busy_pct=work.busy_pct(spans, work.WORKERS),
        spread_wall_s=work.wall_s(spread),
        spread_bound_s=work.list_schedule_s(durations_s, work.WORKERS),
        report_us=None,
        memory_all_mib=figures["memory_mib"] + work.helpers_mib(),
        versions=versions(asked.variant),
        notes="no search, nothing reported, nothing kept",
    )


def versions(variant: str) -> dict[str, str]:
    from importlib.metadata import version

    return {"joblib": version("joblib")} if variant == "loky" else {}


if __name__ == "__main__":
    sys.exit(main())
