"""`maggy repeat`: the same again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maggy.cli.command import command, count

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "repeat",
        _repeat,
        help="run an experiment again, or one of its trials, in a new folder",
        more="The function, the config, the data and the seed are those that the folder keeps; packages are those that "
        "are\ninstalled now, and what differs is said. `maggy diff` compares the results.",
        examples="maggy repeat maggy-runs/train/3\nmaggy repeat maggy-runs/train/3 --trial 12 --engine inline",
    )
    parser.add_argument(
        "--trial", metavar="N", type=count, help="only the configuration of this trial, as a single run"
    )
    parser.add_argument("--engine", help="local, spark, dask, ray or inline; default: the one it was begun with")
    parser.add_argument("--dir", metavar="PATH", help="the new folder; default: maggy-runs/NAME/N")
    parser.add_argument("-v", "--verbose", action="count", default=1, help="show what trials print")


def _repeat(options: argparse.Namespace) -> int:
    from maggy.cli.output import finished
    from maggy.repeating import repeat

    return finished(
        lambda: repeat(
            options.path, options.trial, engine=options.engine, experiment_dir=options.dir, verbose=options.verbose
        ),
        as_json=options.json,
    )
