"""`maggy resume`: an experiment goes on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "resume",
        _resume,
        help="continue an experiment that was killed or interrupted",
        more="No trial that has ended runs again. The function and the config come from the folder.",
        examples="maggy resume maggy-runs/MNIST/3\nmaggy resume s3://bucket/run --engine spark",
    )
    parser.add_argument("--engine", help="local, spark, dask, ray or inline; default: the one it was begun with")
    parser.add_argument("--force", action="store_true", help="also if the function or the config has changed")
    parser.add_argument("-v", "--verbose", action="count", default=1, help="show what trials print")


def _resume(options: argparse.Namespace) -> int:
    from maggy.cli.output import finished
    from maggy.experiment import lagom

    return finished(
        lambda: lagom(resume=options.path, engine=options.engine, force=options.force, verbose=options.verbose),
        as_json=options.json,
    )
