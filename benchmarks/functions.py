"""Training functions, the same for Maggy and for the references. Only light imports: every worker loads this."""

from __future__ import annotations

import os
import time
from typing import Any

from maggy.errors import EarlyStopException

STOP_AT = 4
"""The step at which the rule of the stop benchmark stops every trial."""


def nothing(x: float) -> float:
    """A trial that takes no time."""
    return x


def nap(x: float) -> dict[str, float]:
    """A trial of 45 to 55 ms that says, on its worker's own clock, when it ran.

    It sleeps, so that it takes no core from anybody. Durations differ, because workers that were once served together
    would else end together, again and again, or never: some runs would measure one case and some the other.
    """
    start = time.perf_counter_ns()
    time.sleep(0.045 + 0.01 * x)
    return {"Metric": x, "worker": os.getpid(), "start_ns": start, "end_ns": time.perf_counter_ns()}


def scheduled_nap(index: int, durations_s: list[float]) -> dict[str, float]:
    """The trial with this number, of a list of given durations; its times are on the machine's clock."""
    start = time.time()
    time.sleep(durations_s[index])
    return {"Metric": float(index), "start": start, "end": time.time()}


def first_line(x: float) -> float:
    """When a trial began, in seconds since the epoch."""
    return time.time()


def broadcast_often(x: float, reporter: Any, calls: int) -> float:
    """Nanoseconds for each call of `broadcast` within a trial."""
    return ns_per_call(reporter.broadcast, calls)


def ns_per_call(broadcast: Any, calls: int) -> float:
    start = time.perf_counter_ns()
    for step in range(calls):
        broadcast(0.5, step)
    return (time.perf_counter_ns() - start) / calls


def leave_when_told(x: float, reporter: Any, step_s: float) -> dict[str, float]:
    """A trial that is judged at every step and stopped at `STOP_AT`. It catches the stop, to tell of it:

    wait_s   what the broadcasts before that took, on average: each waits for its verdict
    leave_s  from the broadcast of the step that is stopped to the function leaving
    steps    how many more steps it began before it left; -1 if it was never told to
    """
    waits: list[float] = []
    told_at = 0.0
    for step in range(1, STOP_AT + 20):
        time.sleep(step_s)
        start = time.perf_counter()
        if step == STOP_AT:
            told_at = start
        try:
            reporter.broadcast(x, step)
        except EarlyStopException:
            left_at = time.perf_counter()
            wait_s = sum(waits) / len(waits)
            return {"Metric": x, "wait_s": wait_s, "leave_s": left_at - told_at, "steps": step - STOP_AT}
        if step < STOP_AT:
            waits.append(time.perf_counter() - start)
    return {"Metric": x, "steps": -1}
