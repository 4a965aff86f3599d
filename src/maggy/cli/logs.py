"""`maggy logs`: what trials and workers print."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from maggy.cli.command import command, count

if TYPE_CHECKING:
    from maggy.cli.command import Commands
    from maggy.journal import ExperimentFolder

_LOOK_S, _LOOK_REMOTE_S = 0.3, 5.0


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "logs",
        _logs,
        help="print what trials have printed, and follow them",
        more="Without a trial or worker: that of all trials, each line headed by whose it is.",
        examples="maggy logs maggy-runs/train/3 12\nmaggy logs maggy-runs/train/3 -f\n"
        "maggy logs maggy-runs/train/3 --worker 0 -n 20",
        json='print one JSON object a line: {"trial": 12, "line": "..."}',
    )
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("trial", metavar="TRIAL", nargs="?", type=count, help="only this trial")
    whose.add_argument("--worker", metavar="N", type=count, help="what this worker printed outside of trials")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the experiment is over")
    parser.add_argument("-n", "--lines", metavar="N", type=count, help="begin with the last N lines")


def _logs(options: argparse.Namespace) -> int:
    from maggy.cli.logfiles import LogFiles
    from maggy.cli.output import print_json_line
    from maggy.errors import ExperimentDirError
    from maggy.journal import ExperimentFolder

    folder = ExperimentFolder.open(options.path)
    files = LogFiles(folder, trial=options.trial, worker=options.worker)
    heads = options.trial is None and options.worker is None

    def tell(lines: list[tuple[str, int, str]]) -> None:
        for kind, number, line in lines:
            if options.json:
                print_json_line({kind: number, "line": line})
            else:
                print(f"[{kind} {number}] {line}" if heads else line, flush=options.follow)

    over = _End(folder)
    ended = over.reached() if options.follow else True
    first = files.new(whole=ended)
    if not first and not options.follow and not heads:
        whose = f"trial {options.trial}" if options.worker is None else f"worker {options.worker}"
        raise ExperimentDirError(f"{folder.url} has no log of {whose}: it has printed nothing, or was never there")
    tell(first if options.lines is None else first[max(0, len(first) - options.lines) :])
    while not ended:
        time.sleep(_LOOK_REMOTE_S if folder.is_remote else _LOOK_S)
        ended = over.reached()  # before the look at what was written until then
        tell(files.new(whole=ended))
    return 0


class _End:
    """Tells when an experiment is over, or its driver gone."""

    def __init__(self, folder: ExperimentFolder) -> None:
        from maggy.chronicle import About

        self._folder, self._about = folder, About.read(folder)
        self._begin()

    def _begin(self) -> None:
        from maggy.chronicle import Tally
        from maggy.journal import Follower

        self._follower = Follower(self._folder)
        self._tally = Tally.of(self._about)

    def reached(self) -> bool:
        """Whether it is over now."""
        from maggy.journal import Voided
        from maggy.journal.control import driver_alive

        alive = driver_alive(self._folder)
        if alive is not None:
            return not alive
        try:
            for record in self._follower.new():
                self._tally.add(record)
        except Voided:
            self._begin()
        return self._tally.ending is not None
