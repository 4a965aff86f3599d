"""Real connections: what thousands of them cost a driver, and how soon it answers meanwhile."""

from __future__ import annotations

from collections import defaultdict
from statistics import median, quantiles
from typing import Any

from benchmarks.harness.settings import Settings, run_json
from benchmarks.harness.tables import Column, Row, Table, Target
from benchmarks.scale.loaded_driver import PAUSE_S, PROBES

MANY = 1_000  # workers of the floods, and of the target for a hand-over
FLOODS = {
    ("none", "heartbeat"): "heartbeats alone",
    ("none", "metrics"): "points alone, no rule",
    ("none", "heartbeat + metrics"): "heartbeats, each with a point, no rule",
    ("median", "heartbeat + metrics"): "heartbeats, each with a point that the median rule judges",
}
ANSWERS = {"hand_over": "hand-over", "go_on": "verdict: go on", "stop": "verdict: stop"}

Samples = dict[str, list[float]]


def measure(settings: Settings) -> list[Table]:
    """One table of a driver under its usual load, one of what it takes at most."""
    loads: dict[int, Samples] = {}
    floods: dict[str, Samples] = {}
    for number in range(settings.pick(2, 1)):
        for workers in settings.pick((100, MANY, 5_000), (100, MANY)):
            settings.say(f"round {number + 1}: {workers:,} workers")
            told = drive(settings, "median", workers, beat_s=8.0, flood_s=2.0 if workers == MANY else 0.0)
            add(loads.setdefault(workers, defaultdict(list)), load_figures(told))
            note_floods(floods, "median", told)
        settings.say(f"round {number + 1}: floods")
        note_floods(floods, "none", drive(settings, "none", MANY, beat_s=0.0, flood_s=2.0))
    return [load_table(loads), flood_table(floods)]


def drive(settings: Settings, rule: str, workers: int, *, beat_s: float, flood_s: float) -> dict[str, Any]:
    module = "benchmarks.scale.loaded_driver"
    return run_json("maggy", module, rule, workers, beat_s, flood_s, settings.folder, timeout_s=180.0)


def load_figures(told: dict[str, Any]) -> dict[str, float]:
    """The figures of one round under the usual load."""
    figures = {f"share_{name}": 100 * used / told["wall_s"] for name, used in told["processor_s"].items()}
    figures |= {"kib": told["bytes_per_worker"] / 1024, "opened_s": told["opened_s"]}
    for name, seconds in told["latencies"].items():
        figures |= {f"{name}_p50": 1e3 * median(seconds), f"{name}_p99": 1e3 * quantiles(seconds, n=100)[98]}
    return figures


def note_floods(floods: dict[str, Samples], rule: str, told: dict[str, Any]) -> None:
    """Add the figures of one round of floods."""
    for kinds, spent in told["floods"].items():
        times = spent["messages"] / (1 + kinds.count("+"))
        used = spent["processor_s"]
        figures = {
            "per_core": times / used["all"],
            "per_second": times / spent["wall_s"],
            "share": 100 * used["all"] / spent["wall_s"],
            "loop_us": 1e6 * used["loop"] / times,
            "zeromq_us": 1e6 * used["zeromq"] / times,
        }
        add(floods.setdefault(FLOODS[rule, kinds], defaultdict(list)), figures)


def add(samples: Samples, figures: dict[str, float]) -> None:
    for name, value in figures.items():
        samples[name].append(value)


def load_table(loads: dict[int, Samples]) -> Table:
    rows = [
        Row(name=f"{workers:,} workers, {2 * workers:,} connections", side="ours", group=str(workers), samples=samples)
        for workers, samples in loads.items()
    ]
    answers = [
        Column(key=f"{key}_{quantile}", title=f"{title}, {quantile}", unit="ms", better="less")
        for key, title in ANSWERS.items()
        for quantile in ("p50", "p99")
    ]
    return Table(
        name="connections",
        title="One driver, many connections",
        text=(
            "A real driver, with its journal on the disk, and real encrypted connections: as with every engine, each "
            "worker has one of its own and its supervisor another. Every supervisor sends a heartbeat a second, and "
            "every worker a point a second, for which it gets the verdict of the median rule; all of it is in the "
            f"journal. Beside them {PROBES} workers run trials of one point, a new one {PAUSE_S:g} s after the last on "
            "average, and every third is stopped: `hand-over` is from sending the result to having the next trial, "
            "`verdict` from sending the point to having the answer. The share is of one core, which the driver stays "
            "on. `memory` is what the driver's process grows by for each worker and its supervisor, journal and trial "
            "included; `opening` is from the first connection until all workers have a trial."
        ),
        columns=[
            Column(key="share_all", title="processor", unit="% of a core", better="less"),
            Column(key="share_loop", title="of it the loop", unit="% of a core", better="less"),
            Column(key="share_zeromq", title="of it ZeroMQ's thread", unit="% of a core", better="less"),
            *answers,
            Column(key="kib", title="memory", unit="KiB", better="less"),
            Column(key="opened_s", title="opening", unit="s", better="less"),
        ],
        rows=rows,
        targets=[
            Target(
                text=f"hand-over p99 with {MANY:,} workers, {2 * MANY:,} connections",
                value=median(loads[MANY]["hand_over_p99"]),
                unit="ms",
                at_most=2.0,
            )
        ],
        caveats=[
            "The workers train nothing: one process speaks for all of them, on the last core, and a small one for "
            "those that are timed. On two cores the waiting for that core is in the latencies, which shows with 5,000.",
            "ZeroMQ's pings from the workers' side, one each five seconds, are left out; the driver's own are not.",
        ],
    )


def flood_table(floods: dict[str, Samples]) -> Table:
    pairs = floods["heartbeats, each with a point, no rule"]
    return Table(
        name="heartbeats",
        title=f"Heartbeats that a driver takes, from {MANY:,} workers",
        text=(
            f"The same driver and {2 * MANY:,} connections, which send as fast as it takes them. `a core second` "
            "counts them by the processor time of the driver's whole process, encryption and journal included: so "
            "many would it take on a core that it has to itself. `a second` is what came through here, where the "
            "senders share the machine; `core` says what the driver got of its core meanwhile."
        ),
        columns=[
            Column(key="per_core", title="a core second", better="more", plot=True),
            Column(key="per_second", title="a second", better="more"),
            Column(key="share", title="core", unit="%"),
            Column(key="loop_us", title="the loop, each", unit="us", better="less"),
            Column(key="zeromq_us", title="ZeroMQ's thread, each", unit="us", better="less"),
        ],
        rows=[
            Row(name=name, side="ours", group=name, samples=floods[name]) for name in FLOODS.values() if name in floods
        ],
        targets=[
            Target(
                text="heartbeats a core second, each with a point",
                value=median(pairs["per_core"]),
                at_least=20_000,
            )
        ],
        caveats=["Heartbeats come from supervisors and points from workers, so each of a pair has its own connection."],
    )
