"""What is measured of each peer, given a function that runs a search with it."""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

from benchmarks.overhead import work
from benchmarks.overhead.peers import trials
from benchmarks.overhead.peers.trials import note, noted

Objective = Callable[[float], float]
"""A function of `trials` that lacks its hyperparameter only."""
Search = Callable[[Objective, int], float]
"""Runs a random search for 0 <= x <= 1 with so many trials; on `perf_counter`, when the tuner saw the last one end."""

ENOUGH = 300
"""Trials from which on the driver's growth tells more than chance."""
EVERY_S = 0.02
"""How often a driver's memory is looked at."""


def measure(
    search: Search,
    asked: argparse.Namespace,
    folder: str,
    *,
    reporting: Search | None = None,
    judging: Search | None = None,
    workers: int = work.WORKERS,
    lasting: bool = True,
    driven_here: bool = True,
) -> dict[str, Any]:
    """All figures but the import.

    reporting    the search again, where a trial can make intermediate reports
    judging      the search again, where a rule says after each report whether the trial goes on, and the trial waits
    lasting      whether workers outlive their trials; else whoever begins next takes the place that was free longest
    driven_here  whether this process drives; else the processes of the search note themselves what they hold
    """
    files = (str(Path(folder, f"notes-{number}")) for number in itertools.count())

    def starting() -> float:
        notes, called = next(files), perf_counter()
        search(partial(trials.nothing, notes=notes), workers)
        return began(notes) - called

    cold_s, warm_s = starting(), starting()

    notes = next(files)
    with driving(notes) if driven_here else nullcontext():
        ended = search(partial(trials.nothing, notes=notes), asked.noop)
    drivers = noted(notes, "grown_mib")
    grown_kib = 1024 * mean(driver["grown_mib"] for driver in drivers)

    napped, spread = next(files), next(files)
    search(partial(trials.nap, notes=napped), asked.gap)
    search(partial(trials.spread, notes=spread, number=asked.spread), asked.spread)
    naps, spans = noted(napped, "start")[: asked.gap], noted(spread, "start")
    if (len(naps), len(spans)) != (asked.gap, asked.spread):
        raise RuntimeError(f"of {asked.gap} and {asked.spread} trials {len(naps)} and {len(spans)} were noted")

    reported, judged = next(files), next(files)
    if reporting:
        reporting(partial(trials.reports, notes=reported), workers)
    if judging:
        judging(partial(trials.reports, notes=judged, judged=True), 4 * workers)
    return {
        "start_s": cold_s,
        "warm_start_s": warm_s,
        "noop_per_s": asked.noop / (ended - began(notes)),
        "gap_ms": work.gaps_ms(naps if lasting else placed(naps, workers)),
        "busy_pct": work.busy_pct(naps, workers),
        "spread_wall_s": work.wall_s(spans),
        "spread_bound_s": work.list_schedule_s(trials.durations_s(asked.spread), workers),
        "report_us": mean(trial["report_us"] for trial in noted(reported, "report_us")) if reporting else None,
        "judged_us": noted(judged, "report_us")[-1]["report_us"] if judging else None,
        "memory_kib_per_trial": grown_kib / (0.9 * asked.noop) if asked.noop >= ENOUGH else None,
        "memory_mib": mean(driver["mib"] for driver in drivers),
        "memory_all_mib": sum(driver["all_mib"] for driver in drivers),
    }


def began(notes: str) -> float:
    """When the first of all trials began."""
    return min(said["begun"] for said in noted(notes, "begun"))


@contextmanager
def driving(notes: str) -> Iterator[None]:
    """Around a search, in the process that drives it: note what it holds at the end, and what it grew meanwhile.

    Trials that take no time end at an even rate, so a tenth of them has ended when a tenth of the time has gone.
    """
    samples: list[tuple[float, float]] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(EVERY_S):
            samples.append((perf_counter(), work.resident_mib()))

    began_at, sampler = perf_counter(), threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield
    finally:
        ended_at, mib = perf_counter(), work.resident_mib()
        over.set()
        sampler.join()
    early = [held for at, held in samples if at >= began_at + 0.1 * (ended_at - began_at)]
    note(notes, mib=mib, grown_mib=mib - early[0] if early else 0.0, all_mib=mib + work.helpers_mib())


def placed(spans: Sequence[Mapping[str, float]], workers: int) -> list[dict[str, float]]:
    """The same, each on the place that had been free longest, for processes that train only once."""
    free_since = {place: float("-inf") for place in range(workers)}
    found = []
    for span in sorted(spans, key=lambda span: span["start"]):
        place = min(free_since, key=free_since.__getitem__)
        free_since[place] = span["end"]
        found.append({**span, "worker": place})
    return found


def tell(figures: Mapping[str, Any], *, import_s: float, packages: Sequence[str], notes: str) -> None:
    """Print what was measured, as the last line."""
    work.answer(**figures, import_s=import_s, versions={name: version(name) for name in packages}, notes=notes)


@contextmanager
def scratch(prefix: str = "maggy-benchmark-", parent: str | None = None) -> Iterator[str]:
    """A folder for all that a peer writes, its home too; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as folder:
        os.environ |= {"HOME": folder, "TMPDIR": folder}
        tempfile.tempdir = None
        os.chdir(folder)
        yield folder
        os.chdir("/")
