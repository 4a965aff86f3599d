"""The price of what is kept: where the time of a trial that takes none goes."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.harness.settings import Settings, in_turn, run_json
from benchmarks.harness.tables import Column, Row, Table
from benchmarks.overhead.contest import last_line

TEXT = """\
A pool runs a function and forgets it; an in-process loop ends with its process. What Maggy does for each trial instead,
in microseconds of the driving process' processor time, for trials that return at once. Nothing was switched off to
measure it: the clock of each thread is read, and around the calls of the driver's thread that are named here. On engine
`local` the workers' own time is not in it; `inline` has its worker in the same process. Above it stands the wall time
of a whole no-op trial, as the table of overheads has it, two at a time where there are two workers."""

COLUMNS = [
    Column(key="inline", title="In one process", unit="us"),
    Column(key="local", title="Two processes", unit="us"),
]
WHOLE = {  # contestants of the table of overheads, by column
    "Maggy, inline": "inline",
    "Maggy, local": "local",
    "Optuna, one thread": "inline",
    "Optuna, journal file": "local",
    "process pool": "local",
    "joblib, loky": "local",
}
PARTS = {
    "decide": "to decide what is tried next, and who does it",
    "journal": "to write down what has happened, before anybody hears of it",
    "messages": "to take and send messages, each exactly once",
    "zeromq": "sockets and encryption, in ZeroMQ's thread",
    "loop": "the rest of the driver's loop: who is alive, what is over",
    "function": "the worker: arguments, seeds, output, the call, its result",
    "others": "other threads: the live view, syncs to disk, supervisors",
}


def price(settings: Settings, overhead: Table) -> Table:
    """Ours, part by part, below the whole of those who keep less."""
    trials = settings.pick(10_000, 4_000)

    def run(engine: str) -> Mapping[str, float]:
        settings.say(f"the price of what is kept: {engine}")
        answer: Mapping[str, float] = run_json(
            "maggy",
            "benchmarks.overhead.ours.parts",
            engine,
            trials,
            timeout_s=120.0,
            env={"TMPDIR": str(settings.folder)},
        )
        return answer

    failures: dict[str, str] = {}
    parts = in_turn(settings.pick(3, 1), ["inline", "local"], run, failures.__setitem__)
    return Table(
        name="price",
        title="The price of what is kept",
        text=TEXT,
        columns=COLUMNS,
        rows=[*whole(overhead), *(row(part, parts) for part in PARTS)],
        caveats=[f"{engine} {last_line(why)}" for engine, why in failures.items()],
    )


def whole(overhead: Table) -> list[Row]:
    """The wall time of one trial."""
    return [
        Row(
            name=row.name,
            side=row.side,
            group="a whole trial",
            samples={WHOLE[row.name]: [1e6 / rate for rate in row.samples["noop_per_s"]]},
        )
        for row in overhead.rows
        if row.name in WHOLE and "noop_per_s" in row.samples
    ]


def row(part: str, parts: Mapping[str, list[Mapping[str, float]]]) -> Row:
    """What one part takes, on each engine that has it."""
    samples = {engine: [of_round[part] for of_round in rounds] for engine, rounds in parts.items()}
    return Row(
        name=PARTS[part],
        side="ours",
        group="of it, processor time of the driving process",
        samples={engine: values for engine, values in samples.items() if max(values, default=0.0) >= 0.05},
    )
