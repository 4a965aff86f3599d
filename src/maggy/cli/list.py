"""`maggy list`: what experiments there are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "list",
        _list,
        help="list the experiments in a folder",
        more="States: running, complete, interrupted, failed (no trial has a result), crashed (its driver is gone: "
        "`maggy resume`),\nunfinished (its driver is, or was, on another machine).",
        examples="maggy list\nmaggy list s3://bucket/experiments --json",
        path=False,
    )
    parser.add_argument("dir", metavar="DIR", nargs="?", default="maggy-runs", help="default: ./maggy-runs")


def _list(options: argparse.Namespace) -> int:
    from maggy.cli.output import day, print_json, print_table, time_span
    from maggy.shelf import experiments_in

    found = sorted((_told(url) for url in experiments_in(options.dir)), key=lambda each: each.get("started") or 0.0)
    if options.json:
        print_json(found)
        return 0
    if not found:
        print(f"no experiment in {options.dir}")
        return 0
    columns = ("name", "state", "trials", "best", "started", "took", "folder")
    print_table(
        columns,
        [
            (
                each.get("name"),
                each["state"],
                f"{each['ended']}/{each['trials']}" if "trials" in each else None,
                each.get("best"),
                day(each.get("started")),
                time_span(each.get("took_s")),
                each["folder"],
            )
            for each in found
        ],
    )
    return 0


def _told(url: str) -> dict[str, Any]:
    """A line of the list; of what is damaged, that it is."""
    import time

    from maggy.chronicle import About, Tally
    from maggy.errors import ExperimentDirError, JournalError
    from maggy.journal import ExperimentFolder, read
    from maggy.shelf import state_of

    try:
        folder = ExperimentFolder.open(url)
        about = About.read(folder)
        tally = Tally.of(about)
        times = [0.0, 0.0]
        for record in read(folder):
            tally.add(record)
            times = [times[0] or record.t, record.t]
    except ExperimentDirError:
        return {"state": "never began", "folder": url}
    except JournalError:
        return {"state": "damaged", "folder": url}
    state = state_of(folder, tally)
    return {
        "name": about.name,
        "state": state,
        "ended": tally.ended,
        "trials": about.num_trials,
        "best": tally.best,
        "best_trial": tally.best_trial,
        "started": about.started,
        "took_s": (time.time() if state == "running" else times[1]) - times[0],
        "folder": url,
    }
