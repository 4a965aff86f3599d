"""The table of what a trial costs beside its training."""

from __future__ import annotations

import subprocess
from statistics import quantiles
from typing import Any

from benchmarks.harness.settings import ROOT, Settings, in_turn, python_of, run_json
from benchmarks.harness.tables import Column, Row, Table
from benchmarks.overhead.contestants import CONTESTANTS, Contestant

TEXT = """\
Random search on two workers (one where everything happens in one process), each contestant in a fresh process of its
own environment. *No-op*: the objective returns at once. *Gap*: trials of 45 to 55 ms; from the end of one to the start
of the next on the same worker, and what of the workers' time went into trials. *Stragglers*: log-normal durations
(mean 0.2 s, sigma 1); the least time in which their order can be worked off, as a share of the time it took. *Report*:
one intermediate metric, as the training loop pays it; *with verdict*: where each waits for what a stopping rule says.
*Start*: from what follows the imports (session and cluster included) to the first line of the first objective, and
once more in the same process. *Memory*: the driving process, its growth over the no-op trials, and it with whatever it
started that does not train (Spark's JVM, Ray's services)."""

CAVEATS = (
    "Pools, joblib and in-process loops are shown aside: they decide nothing, keep nothing, and survive nothing.",
    "With two workers on two cores, driver and workers share the cores; the no-op rates are of both together.",
    "The slow contestants get few trials, so that their p99 is nearly their longest gap.",
    "Of Optuna's processes each searches and trains, so that there is no driver apart from the workers: its memory is "
    "that of one of them, and all of them are both.",
    "On Spark, ours starts an interpreter of its own for each worker, which may die or be killed without Spark's task; "
    "a job of a session that is up starts sooner.",
    "An objective of no time and gaps of milliseconds matter only where trials take seconds or less.",
)

COLUMNS = [
    Column(key="noop_per_s", title="No-op trials", unit="1/s", better="more", plot=True),
    Column(key="gap_p50_ms", title="Gap p50", unit="ms", better="less", plot=True),
    Column(key="gap_p99_ms", title="Gap p99", unit="ms", better="less"),
    Column(key="busy_pct", title="Busy", unit="%", better="more"),
    Column(key="spread_pct", title="Stragglers", unit="%", better="more"),
    Column(key="report_us", title="Report", unit="us", better="less"),
    Column(key="judged_us", title="Report with verdict", unit="us", better="less"),
    Column(key="start_s", title="Start, cold", unit="s", better="less", plot=True),
    Column(key="warm_start_s", title="Start, warm", unit="s", better="less"),
    Column(key="import_ms", title="Import", unit="ms", better="less"),
    Column(key="memory_kib_per_trial", title="Memory per trial", unit="KiB", better="less"),
    Column(key="memory_mib", title="Memory", unit="MiB", better="less"),
    Column(key="memory_all_mib", title="Memory, all", unit="MiB", better="less"),
]


def overhead(settings: Settings) -> Table:
    """Run all contestants in turn."""
    compile_sources()
    by_name = {contestant.name: contestant for contestant in CONTESTANTS}
    failures: dict[str, str] = {}

    def run(name: str) -> dict[str, Any]:
        settings.say(f"overhead: {name}")
        return ask(by_name[name], settings)

    answers = in_turn(settings.pick(2, 1), list(by_name), run, failures.__setitem__)
    rows = [row(contestant, answers[name], failures.get(name)) for name, contestant in by_name.items()]
    found = [answer["versions"] for of_one in answers.values() for answer in of_one[:1]]
    versions = sorted({f"{package} {version}" for one in found for package, version in one.items()})
    return Table(
        name="overhead",
        title="What a trial costs beside its training",
        text=f"{TEXT}\n\nVersions: {', '.join(versions)}.",
        columns=COLUMNS,
        rows=rows,
        caveats=CAVEATS,
    )


def compile_sources() -> None:
    """As an installation does; else whoever comes first would pay for it in its import."""
    subprocess.run([python_of("maggy"), "-m", "compileall", "-q", "src", "benchmarks"], cwd=ROOT, check=True)


def ask(contestant: Contestant, settings: Settings) -> dict[str, Any]:
    """One round of a contestant, in a fresh process that writes where a user's experiments lie."""
    answer: dict[str, Any] = run_json(
        contestant.environment,
        f"benchmarks.overhead.{contestant.module}",
        *contestant.arguments,
        timeout_s=300.0,
        env={"TMPDIR": str(settings.folder), "RAY_TMPDIR": "/tmp"},  # sockets have short paths
    )
    return answer


def row(contestant: Contestant, answers: list[dict[str, Any]], failure: str | None = None) -> Row:
    """A contestant in the table.

    failure  what it printed where it failed, in a round after those that it has answered
    """
    samples: dict[str, list[float]] = {}
    for answer in answers:
        for key, value in figures(answer).items():
            samples.setdefault(key, []).append(value)
    notes = [answers[0]["notes"]] if answers else []
    if failure is not None:
        notes.append(last_line(failure))
    return Row(
        name=contestant.name,
        side=contestant.side,
        group=contestant.group,
        samples=samples,
        note="; ".join(filter(None, notes)),
    )


def figures(answer: dict[str, Any]) -> dict[str, float]:
    """The columns of one answer, without those that it lacks."""
    gaps_ms = answer["gap_ms"]
    found = {column.key: answer.get(column.key) for column in COLUMNS}
    if gaps_ms:
        found["gap_p50_ms"], found["gap_p99_ms"] = quantiles_ms(gaps_ms)
    if answer["spread_wall_s"]:
        found["spread_pct"] = 100 * answer["spread_bound_s"] / answer["spread_wall_s"]
    found["import_ms"] = answer["import_s"] * 1000
    return {key: value for key, value in found.items() if value is not None}


def quantiles_ms(gaps_ms: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    cuts = quantiles(gaps_ms, n=100, method="inclusive") if len(gaps_ms) > 1 else gaps_ms * 99
    return cuts[49], cuts[98]


def last_line(failure: str) -> str:
    """What went wrong, which a traceback says last."""
    return f"failed: {failure.strip().splitlines()[-1]}"
