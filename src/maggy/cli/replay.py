"""`maggy replay`: every decision again."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from maggy.cli.command import command, count

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "replay",
        _replay,
        help="make every decision again from the journal, and show differences",
        more="Exit status 1 if a decision comes out otherwise now.",
        examples="maggy replay maggy-runs/MNIST/3\nmaggy replay maggy-runs/MNIST/3 --until 500",
    )
    parser.add_argument("--until", type=count, metavar="N", help="read only the first N records")


def _replay(options: argparse.Namespace) -> int:
    from maggy.cli.output import print_json
    from maggy.resuming import replay_experiment

    told, decider = replay_experiment(options.path, until=options.until)
    states = Counter(str(trial.state) for trial in decider.advisor.book.ended)
    states.update(str(live.state) for live in decider.brain.live.values())
    status = 1 if told.differences else 0
    if options.json:
        running = [
            {"trial": trial, "state": str(live.state), "attempt": live.attempt, "params": live.params}
            for trial, live in decider.brain.live.items()
        ]
        print_json(
            {
                "records": told.records,
                "decisions": told.decisions,
                "drivers": told.epoch + 1,
                "trials": dict(states),
                "live": running,
                "differences": [str(difference) for difference in told.differences],
            }
        )
        return status
    trials = ", ".join(f"{number} {state}" for state, number in states.items()) or "none"
    print(f"{told.records} records, {told.decisions} decisions made again; drivers: {told.epoch + 1}; trials: {trials}")
    for trial, live in decider.brain.live.items():
        print(f"trial {trial}: {live.state}, attempt {live.attempt}, {live.params}")
    for difference in told.differences:
        print(difference)
    print(f"{len(told.differences)} differences" if told.differences else "no difference")
    return status
