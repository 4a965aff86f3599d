"""What the subcommands have in common: how one is added."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help: str,
    more: str = "",
    examples: str = "",
    path: bool = True,
    json: str | None = "print one JSON document, and nothing else, on stdout",
) -> argparse.ArgumentParser:
    """Add a subcommand, and return its parser for the options that only it has.

    run       does it, and returns the exit status
    help      what it does, in one line
    more      what else its --help says above the options
    examples  command lines, one each
    path      whether it takes an experiment's folder, as PATH
    json      what --json does; None: there is no such option
    """
    lines = [f"{help[0].upper()}{help[1:]}.", more.strip()]
    parser = commands.add_parser(
        name,
        help=help,
        description="\n\n".join(line for line in lines if line),
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()) if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if path:
        parser.add_argument("path", metavar="PATH", help="the experiment's folder, a path or a URL")
    if json is not None:
        parser.add_argument("--json", action="store_true", help=json)
    parser.set_defaults(run=run)
    return parser


def count(text: str) -> int:
    """A number from 0, for `type=`."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number
