"""`maggy stop`: ask a driver to end."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.chronicle import Chronicle
    from maggy.cli.command import Commands
    from maggy.journal import ExperimentFolder


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "stop",
        _stop,
        help="end an experiment that is running, or one of its trials",
        more="What has finished is kept, and `maggy resume` goes on. A trial that is stopped has its last report "
        "as its result.\nThe driver obeys within a second, on an object store within five.",
        examples="maggy stop maggy-runs/train/3\nmaggy stop maggy-runs/train/3 --trial 12 --yes",
    )
    parser.add_argument("--trial", type=int, metavar="N", help="only this trial")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask back")


def _stop(options: argparse.Namespace) -> int:
    from maggy.chronicle import Chronicle
    from maggy.cli.output import print_json
    from maggy.errors import ExperimentDirError
    from maggy.journal import ExperimentFolder
    from maggy.journal.control import Request, ask

    folder = ExperimentFolder.open(options.path)
    what = _checked(folder, Chronicle.of(folder), options.trial)
    if not options.yes and not _agreed(f"stop {what} of {folder.url}?"):
        print("nothing was stopped", file=sys.stderr)
        return 0
    try:
        ask(folder, Request(do="stop", trial=options.trial, by=f"maggy stop ({_user()})"))
    except Exception as error:  # each file system has errors of its own
        raise ExperimentDirError(f"the driver of {folder.url} cannot be asked: {error}") from error
    if options.json:
        print_json({"asked": "stop", "trial": options.trial, "folder": folder.url})
    else:
        print(f"asked the driver of {folder.url} to stop {what}")
    return 0


def _checked(folder: ExperimentFolder, chronicle: Chronicle, trial: int | None) -> str:
    """What is to be stopped, in words. Raises ExperimentDirError where there is nothing to stop."""
    from maggy.errors import ExperimentDirError
    from maggy.shelf import state_of

    state, running = state_of(folder, chronicle.tally), sorted(chronicle.tally.brain.live)
    if state not in ("running", "unfinished"):
        raise ExperimentDirError(f"no driver runs {folder.url}: it is {state}")
    if trial is None:
        return f"everything ({len(running)} trials are running)"
    if trial not in running:
        there = chronicle.trials.get(trial)
        how = "is no trial" if there is None else f"has {there.state} already"
        raise ExperimentDirError(f"trial {trial} {how}; running: {', '.join(map(str, running)) or 'none'}")
    return f"trial {trial}"


def _agreed(question: str) -> bool:
    from maggy.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError("nobody can be asked here; say --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may know no name
        return "somebody"
