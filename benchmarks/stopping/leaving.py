"""How soon a trial leaves that is told to stop, and what it pays for after the decision."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import fmean, median, quantiles
from typing import Literal

from benchmarks.harness.settings import Settings, in_turn, run_json
from benchmarks.harness.tables import Column, Row, Table, Target
from benchmarks.stopping.work import STEPS_S

WAIT_SHARE = 0.1
"""A report waits for its verdict for at most this share of a step."""

ECHO = "a byte to another process and back"


@dataclass(frozen=True)
class Contestant:
    """Who runs where.

    module  of this package, that is run there, with `more` arguments
    """

    side: Literal["ours", "peer"]
    group: str
    environment: str
    module: str
    more: tuple[str, ...] = ()


CONTESTANTS = {
    "Maggy, local": Contestant("ours", "processes", "maggy", "ours", ("local",)),
    "Maggy, Spark": Contestant("ours", "Spark", "maggy", "ours", ("spark",)),
    "Maggy, Dask": Contestant("ours", "Dask", "engines", "ours", ("dask",)),
    "Maggy, Ray": Contestant("ours", "Ray", "engines", "ours", ("ray",)),
    "Optuna, journal file": Contestant("peer", "processes", "optuna", "optuna_journal"),
    "Ray Tune, actors reused": Contestant("peer", "Ray", "ray-tune", "ray_tune"),
}
SHORT = ("Maggy, local", "Maggy, Spark", "Optuna, journal file", ECHO)

Trials = list[dict[str, float]]


def measure(settings: Settings) -> list[Table]:
    trials = settings.pick((60, 30), (30, 12))
    notes: dict[str, str] = {}
    rounds = in_turn(
        settings.pick(3, 1),
        settings.pick([*CONTESTANTS, ECHO], list(SHORT)),
        lambda name: stopped(name, trials, settings),
        lambda name, error: notes.update({name: f"failed: {error.splitlines()[0]}"}),
    )
    return [table(step_s, rounds, notes) for step_s in STEPS_S]


def stopped(name: str, trials: Sequence[int], settings: Settings) -> dict[float, Trials]:
    """What the trials of a contestant say of how they were stopped, by the length of a step."""
    settings.say(f"stopping: {name}")
    if name == ECHO:
        return {step_s: echoes(step_s, number) for step_s, number in zip(STEPS_S, trials, strict=True)}
    who = CONTESTANTS[name]
    with tempfile.TemporaryDirectory(dir=settings.folder) as folder:
        module = f"benchmarks.stopping.{who.module}"
        told = run_json(who.environment, module, folder, *trials, *who.more, timeout_s=120)
    return {float(step_s): found for step_s, found in told.items()}


def table(step_s: float, rounds: dict[str, list[dict[float, Trials]]], notes: dict[str, str]) -> Table:
    ms = round(step_s * 1e3)
    rows = []
    for name, found in rounds.items():
        who = CONTESTANTS.get(name)
        rows.append(
            Row(
                name=name,
                side=who.side if who else "aside",
                group=who.group if who else "processes",
                samples=samples([each[step_s] for each in found]),
                note=notes.get(name, ""),
            )
        )
    return Table(
        name=f"leaving_{ms}ms",
        title=f"Leaving when told to: steps of {ms} ms",
        text=f"Every trial sleeps {ms} ms a step, reports each step, is judged each time, and is stopped at its "
        "fourth, on two workers. *From the report* is the time from reporting that step to the function leaving, *from "
        "the decision* that from the rule's decision; *a report* is what each report before it cost, the wait for its "
        "verdict included. Functions catch the stop and take the times themselves.",
        columns=[
            Column(key="leave_p50", title="from the report, p50", unit="ms", better="less", plot=True),
            Column(key="leave_p99", title="from the report, p99", unit="ms", better="less"),
            Column(key="decided_p50", title="from the decision, p50", unit="ms"),
            Column(key="decided_p99", title="from the decision, p99", unit="ms"),
            Column(key="report_p50", title="a report, p50", unit="ms", better="less"),
            Column(key="paid", title="steps paid after it", better="less"),
        ],
        rows=rows,
        targets=[
            target
            for row in rows
            if row.side == "ours" and row.samples
            for target in targets(row, WAIT_SHARE * step_s * 1e3)
        ],
        caveats=[
            "With Optuna a trial judges itself: `report` writes to the journal file, `should_prune` reads what the "
            "others wrote, and the decision is a return value. It is a call that the function must not forget. The "
            "pruner here looks at nothing, and Ray Tune's scheduler neither.",
            "A report of Ray Tune waits for the scheduler, however long that takes; one of ours for at most a tenth of "
            "the median step and 50 ms, and then goes on. Times of one trial on two clocks are on the same machine.",
        ],
    )


def samples(rounds: Sequence[Trials]) -> dict[str, list[float]]:
    """One value for each round, of what its trials say."""
    kinds: dict[str, tuple[str, float, Callable[[Sequence[float]], float]]] = {
        "leave_p50": ("leave_s", 1e3, median),
        "leave_p99": ("leave_s", 1e3, p99),
        "decided_p50": ("decided_s", 1e3, median),
        "decided_p99": ("decided_s", 1e3, p99),
        "report_p50": ("report_s", 1e3, median),
        "paid": ("paid", 1.0, fmean),
    }
    return {
        key: [unit * of([trial[what] for trial in trials]) for trials in rounds]
        for key, (what, unit, of) in kinds.items()
        if rounds and all(what in trial for trials in rounds for trial in trials)
    }


def targets(row: Row, bound_ms: float) -> list[Target]:
    bounds: list[tuple[str, str, str, float]] = [
        ("leave_p50", "from the report to leaving, p50", "ms", bound_ms),
        ("report_p50", "a report, p50", "ms", bound_ms),
        ("paid", "steps paid after the decision, mean", "", 0.05),
    ]
    return [
        Target(text=f"{row.name}: {text}", value=value, unit=unit, at_most=bound)
        for key, text, unit, bound in bounds
        if (value := row.median(key)) is not None
    ]


def p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def echoes(pause_s: float, times: int) -> Trials:
    """What a byte to another process and back takes, after the same pauses: the least that a verdict can cost."""
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
            took.append({"leave_s": time.perf_counter() - start})
        here.send_bytes(b"")
    finally:
        process.join()
    return took


def _echo(pipe: Connection) -> None:
    while message := pipe.recv_bytes():
        pipe.send_bytes(message)
