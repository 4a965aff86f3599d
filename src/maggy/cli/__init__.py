"""The `maggy` command."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from maggy.errors import MaggyError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status: 0, 1 if it found something, 2 for an error."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except MaggyError as error:
        print(f"maggy {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="maggy", description="Experiments of Maggy, from the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    resume = commands.add_parser("resume", help="continue an experiment that was killed or interrupted")
    resume.add_argument("path", metavar="PATH", help="the experiment's folder, a path or a URL")
    resume.add_argument("--engine", help="local, spark, dask, ray or inline; default: the one it was begun with")
    resume.add_argument("--force", action="store_true", help="also if the function or the config has changed")
    resume.add_argument("-v", "--verbose", action="count", default=1, help="show what trials print")
    resume.set_defaults(run=_resume)

    replay = commands.add_parser("replay", help="make every decision again from the journal, and show differences")
    replay.add_argument("path", metavar="PATH", help="the experiment's folder, a path or a URL")
    replay.add_argument("--until", type=_count, metavar="N", help="read only the first N records")
    replay.set_defaults(run=_replay)

    join = commands.add_parser("join", help="work for an experiment that is running, from this terminal")
    join.add_argument("path", metavar="PATH", help="the experiment's folder, a path or a URL")
    join.set_defaults(run=_join)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("a number of records cannot be negative")
    return number


def _resume(options: argparse.Namespace) -> int:
    from maggy.experiment import lagom

    result = lagom(resume=options.path, engine=options.engine, force=options.force, verbose=options.verbose)
    return 130 if result.interrupted else 0


def _replay(options: argparse.Namespace) -> int:
    from maggy.resuming import replay_experiment

    told, decider = replay_experiment(options.path, until=options.until)
    states = Counter(trial.state for trial in decider.advisor.book.ended)
    states.update(live.state for live in decider.brain.live.values())
    trials = ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    print(f"{told.records} records, {told.decisions} decisions made again; drivers: {told.epoch + 1}; trials: {trials}")
    for trial, live in decider.brain.live.items():
        print(f"trial {trial}: {live.state}, attempt {live.attempt}, {live.params}")
    for difference in told.differences:
        print(difference)
    print(f"{len(told.differences)} differences" if told.differences else "no difference")
    return 1 if told.differences else 0


def _join(options: argparse.Namespace) -> int:
    from maggy.joining import join

    join(options.path)
    return 0
