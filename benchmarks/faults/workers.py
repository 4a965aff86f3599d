"""What runs a trial is killed: how soon that is known, and mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.faults.contestants import WORKERS
from benchmarks.faults.work import TRIAL_S
from benchmarks.harness.settings import Settings, in_turn
from benchmarks.harness.tables import Column, Row, Table, Target


def measure(settings: Settings) -> Table:
    names = [name for name, who in WORKERS.items() if settings.full or who.short]
    notes = {name: WORKERS[name].note for name in names}

    def run(name: str) -> Mapping[str, Any]:
        settings.say(f"faults: {name}")
        return WORKERS[name].run(settings, settings.pick(3, 2))

    def failed(name: str, error: str) -> None:
        notes[name] = f"failed: {error.splitlines()[0]}"

    def measured(several: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
        return in_turn(1, several, run, failed)

    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(measured, [name for name in names if WORKERS[name].beside])
        found = measured([name for name in names if not WORKERS[name].beside]) | beside.result()
    return table({name: found[name] for name in names}, notes)


def table(rounds: Mapping[str, Sequence[Mapping[str, Any]]], notes: Mapping[str, str]) -> Table:
    rows = [
        Row(
            name=name,
            side=WORKERS[name].side,
            group=WORKERS[name].group,
            samples=samples(found),
            note=notes.get(name, ""),
        )
        for name, found in rounds.items()
    ]
    return Table(
        name="killed_workers",
        title="`kill -9` of what runs a trial",
        text=f"Two workers, trials of {TRIAL_S:g} s. When both are busy, what runs the newer trial is killed with -9: "
        "its process, or what holds that. Times are from the kill. *Noticed*: the driver's journal says so, or the "
        "framework calls back. *Run again*: the first line of the trial's next attempt, wherever that is. *Full "
        "strength*: two trials run at once again. *Without a result*: trials in the end. A value is one kill.",
        columns=[
            Column(key="detect", title="noticed", unit="s", better="less"),
            Column(key="rerun", title="run again", unit="s", better="less", plot=True),
            Column(key="full", title="full strength", unit="s", better="less", plot=True),
            Column(key="lost", title="without a result", unit="trials", better="less"),
        ],
        rows=rows,
        targets=[
            Target(text=f"{row.name}: trials without a result", value=lost, at_most=0)
            for row in rows
            if row.side == "ours" and (lost := row.median("lost")) is not None
        ],
        caveats=[
            "Everything runs with its default settings, but for what the notes say. None of these trials saves a "
            "checkpoint, so what a killed attempt had done is done again, here and there.",
            "A worker that has lost its connection may come back within 10 s with ours, and a silent host counts as "
            "lost after 30 s. A Python task, a Dask worker or a Ray worker that is killed takes both connections of "
            "its seat along; this is noticed when the engine has filled the seat again, if that comes first.",
            "Stages and SparkTrials leave it to Spark to run the task again, which does not tell when it noticed.",
            "What is lost with an executor is often run again by the other one, once its own trial has ended.",
        ],
    )


def samples(found: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """A value for each kill, and for each process the trials that it lost."""
    kills = [kill for each in found for kill in each["kills"]]
    by_key = {key: [kill[key] for kill in kills if key in kill] for key in ("detect", "rerun", "full")}
    by_key["lost"] = [float(each["lost"]) for each in found]
    return {key: values for key, values in by_key.items() if values}
