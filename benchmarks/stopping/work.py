"""The trial that all contestants run, and what they say of it. Only the standard library."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

STOP_AT = 4
"""The step at which every trial is stopped."""

STEPS_S = (0.02, 0.1)
WORKERS = 2


def train(step_s: float, report: Callable[[int], object], stopped: type[BaseException]) -> dict[str, float]:
    """A trial that reports each of its steps, and is stopped at `STOP_AT`. It catches the stop, to tell of it:

    report_s  what the reports before that took, on average
    leave_s   from the report of the step that is stopped to the function leaving
    left_at   when that was, in seconds since the epoch
    paid      how many more steps it began before it left; -1 if it was never told to
    """
    reports: list[float] = []
    told_at = 0.0
    for step in range(1, STOP_AT + 20):
        time.sleep(step_s)
        start = time.perf_counter()
        if step == STOP_AT:
            told_at = start
        try:
            report(step)
        except stopped:
            return {
                "report_s": sum(reports) / len(reports),
                "leave_s": time.perf_counter() - told_at,
                "left_at": time.time(),
                "paid": step - STOP_AT,
            }
        if step < STOP_AT:
            reports.append(time.perf_counter() - start)
    return {"paid": -1}


def keep(folder: str, trial: object, told: Mapping[str, Any]) -> None:
    """Write down what a trial says, where its framework would not: a line of a file of its process."""
    with Path(folder, f"told-{os.getpid()}").open("a") as file:
        file.write(json.dumps({"trial": trial, **told}) + "\n")


def kept(folder: str | Path) -> list[dict[str, Any]]:
    """What all trials have written down."""
    return [json.loads(line) for path in Path(folder).glob("told-*") for line in path.read_text().splitlines()]


def answer(trials: Mapping[float, Iterable[Mapping[str, Any]]]) -> None:
    """Print what was measured, by the length of a step, as the last line."""
    print(json.dumps({str(step_s): list(told) for step_s, told in trials.items()}), flush=True)
