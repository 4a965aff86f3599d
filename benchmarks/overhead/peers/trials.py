"""The trials, for tuners that carry nothing home but a loss: what they did, they note in a file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.overhead import work

REPORTS, JUDGED = 100, 20
"""Intermediate reports of a trial, and of one whose every step is judged."""

durations_s = cache(work.log_normal_durations_s)
_begun: set[str] = set()


def note(notes: str, **said: Any) -> None:
    """Add a line. Any number of processes may: a short line is appended whole."""
    with Path(notes).open("ab", buffering=0) as file:
        file.write(json.dumps(said).encode() + b"\n")


def noted(notes: str, key: str) -> list[dict[str, Any]]:
    """The lines that have a key, in the order in which they were written."""
    lines = Path(notes).read_text().splitlines() if Path(notes).exists() else []
    return [said for said in map(json.loads, lines) if key in said]


def nothing(x: float, notes: str) -> float:
    """A trial that takes no time. The first in each process notes when it began."""
    if notes not in _begun:
        _begun.add(notes)
        note(notes, begun=time.perf_counter())
    return work.nothing(x)


def nap(x: float, notes: str) -> float:
    """A trial of 45 to 55 ms."""
    note(notes, **work.nap(x))
    return x


def spread(x: float, notes: str, number: int) -> float:
    """A trial as long as its place says in the order in which trials begin, in whichever process.

    Whatever comes after the last takes no time: not every tuner stops in time.
    """
    place = claim(f"{notes}.places")
    if place < number:
        note(notes, **work.scheduled_nap(place, durations_s(number)))
    return x


def reports(x: float, notes: str, report: Callable[[float, int], Any], judged: bool = False) -> float:
    """A trial that reports again and again; whether each report is judged is for the caller to see to."""
    note(notes, report_us=work.us_per_report(report, JUDGED if judged else REPORTS))
    return x


def claim(path: str) -> int:
    """How many have claimed a place before this."""
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR)
    try:
        os.write(file, b".")
        return os.lseek(file, 0, os.SEEK_CUR) - 1
    finally:
        os.close(file)
