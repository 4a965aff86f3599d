"""What drives the search is killed, and started again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.faults.contestants import DRIVERS
from benchmarks.faults.driver import ENDED
from benchmarks.faults.work import SHORT_TRIAL_S
from benchmarks.harness.settings import Settings, in_turn
from benchmarks.harness.tables import Column, Row, Table, Target

KEYS = ("first", "full", "kept", "again", "lost")


def measure(settings: Settings) -> Table:
    names = [name for name, who in DRIVERS.items() if settings.full or who.short]
    notes = {name: DRIVERS[name].note for name in names}

    def run(name: str) -> Mapping[str, Any]:
        settings.say(f"faults: driver of {name}")
        return DRIVERS[name].run(settings, 1)

    def failed(name: str, error: str) -> None:
        notes[name] = f"failed: {error.splitlines()[0]}"

    return table(in_turn(1, names, run, failed), notes)


def table(rounds: Mapping[str, Sequence[Mapping[str, Any]]], notes: Mapping[str, str]) -> Table:
    rows = [
        Row(
            name=name,
            side=DRIVERS[name].side,
            group=DRIVERS[name].group,
            samples={key: [float(each[key]) for each in found] for key in KEYS} if found else {},
            note=notes.get(name, ""),
        )
        for name, found in rounds.items()
    ]
    return Table(
        name="killed_drivers",
        title="`kill -9` of the driver",
        text=f"Two workers, trials of {SHORT_TRIAL_S:g} s. When at least {ENDED} have ended and two are under way, "
        "the process that drives the search is killed with -9. When nothing of it runs any more it is started again, "
        "as its user would. Times are from that start, with interpreter, imports and cluster: to the first line of a "
        "trial, and until both workers are busy. *Ended before*: trials when it was killed; of these some may be *run "
        "again*, and those *without a result* in the end are lost.",
        columns=[
            Column(key="first", title="first trial", unit="s", better="less", plot=True),
            Column(key="full", title="full strength", unit="s", better="less"),
            Column(key="kept", title="ended before", unit="trials"),
            Column(key="again", title="run again", unit="trials", better="less"),
            Column(key="lost", title="without a result", unit="trials", better="less"),
        ],
        rows=rows,
        targets=[
            Target(text=f"{row.name}: {text}", value=value, at_most=0)
            for row in rows
            if row.side == "ours"
            for key, text in (("again", "ended trials that were run again"), ("lost", "trials that were lost"))
            if (value := row.median(key)) is not None
        ],
        caveats=[
            "Ray Tune writes the state of its trials now and then, ours every turn of the driver's loop, before "
            "anybody is told: what had ended since Ray Tune's last snapshot is run again.",
            "Hyperopt's SparkTrials, Spark stages and a process pool keep nothing that another process could go on "
            "with: all of it is lost, and so they are no rows.",
        ],
    )
