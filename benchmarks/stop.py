"""How soon a trial leaves when a rule stops it, and what it pays for after the decision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import fmean

from benchmarks.functions import STOP_AT, leave_when_told
from benchmarks.measure import Figure, Settings, Target, alternate, p50, p99
from benchmarks.searches import search, told
from maggy.earlystop import StoppingRule, Verdict
from maggy.trial import Curve

STEPS_S = (0.02, 0.1)
WAIT_SHARE = 0.1  # a broadcast waits for its verdict for at most this share of a step


class StopThere(StoppingRule):
    """Stops every trial at one step, and those that nobody judged at that step not at all."""

    def judge(self, curve: Curve, finished: Sequence[Curve]) -> Verdict:
        return Verdict(stop=curve.steps[-1] == STOP_AT)


def run(settings: Settings) -> list[Figure]:
    return [figure for step_s in STEPS_S for figure in with_steps_of(step_s, settings)]


def with_steps_of(step_s: float, settings: Settings) -> list[Figure]:
    trials = settings.pick(80 if step_s < 0.05 else 40, 12)
    rounds, echoes = alternate(
        settings.pick(3, 1), lambda: leaving(step_s, trials, settings), lambda: echo_ms(step_s, trials)
    )
    within_bound = [Target(at_most=WAIT_SHARE * step_s * 1e3)]
    setting = f"{step_s * 1000:.0f} ms steps, {settings.engine}"
    waits = [
        Figure(
            name=f"{name}, {setting}",
            unit="ms",
            ours=[quantile([trial[key] * 1e3 for trial in of_round]) for of_round in rounds],
            reference=[quantile(echo) for echo in echoes],
            beside="echo over a pipe",
            targets=targets,
        )
        for name, key, quantile, targets in (
            ("stop: leave p50", "leave_s", p50, within_bound),
            ("stop: leave p99", "leave_s", p99, []),
            ("go on: wait p50", "wait_s", p50, within_bound),
        )
    ]
    paid = Figure(
        name=f"stop: steps paid, {setting}",
        unit="steps",
        ours=[fmean(trial["steps"] for trial in of_round) for of_round in rounds],
        targets=[Target(at_most=0.05)],
    )
    return [*waits, paid]


def leaving(step_s: float, trials: int, settings: Settings) -> list[dict[str, float]]:
    """What each trial measured that was stopped; the first few are not judged, because nothing has finished yet."""
    result = search(
        partial(leave_when_told, step_s=step_s),
        trials,
        engine=settings.engine,
        folder=settings.folder,
        es_policy=StopThere(),
        es_min=0,
    )
    return [trial for trial in told(result) if trial["steps"] >= 0]


def echo_ms(pause_s: float, times: int) -> list[float]:
    """Milliseconds for a byte to another process and back, after the same pauses."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_echo, args=(there,))
    process.start()
    try:
        here.send_bytes(b"0")
        here.recv_bytes()  # it is up
        took = []
        for _ in range(times):
            time.sleep(pause_s)
            start = time.perf_counter()
            here.send_bytes(b"0")
            here.recv_bytes()
            took.append((time.perf_counter() - start) * 1e3)
        here.send_bytes(b"")
    finally:
        process.join()
    return took


def _echo(pipe: Connection) -> None:
    while message := pipe.recv_bytes():
        pipe.send_bytes(message)
