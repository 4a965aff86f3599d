"""`maggy join`: one more worker."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    command(
        commands,
        "join",
        _join,
        help="work for an experiment that is running, from this terminal",
        more="Adds one worker until the experiment is over. Ctrl-C gives its trial back and ends it.",
        examples="maggy join maggy-runs/MNIST/3",
        json=None,
    )


def _join(options: argparse.Namespace) -> int:
    from maggy.joining import join

    join(options.path)
    return 0
