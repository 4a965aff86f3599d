"""The `maggy` command: one file here for each subcommand, which this one puts together."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from maggy.errors import MaggyError

# Each is a module here with `add(commands)`, in the order in which --help lists them.
_COMMANDS = (
    "run",
    "list",
    "show",
    "best",
    "export",
    "logs",
    "stop",
    "resume",
    "repeat",
    "diff",
    "replay",
    "simulate",
    "ui",
    "join",
    "doctor",
    "completion",
)

_DESCRIPTION = """\
Experiments of Maggy, from the command line.

An experiment is a folder. Where a command wants its PATH, a path or a URL will do.
"""

_EPILOG = """\
exit status: 0 good, 1 something was found (see the command), 2 error, 130 interrupted.
`maggy COMMAND --help` shows a command's options, and examples.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status: 0, 1 if it found something, 2 for an error, 130 where Ctrl-C ended it."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no blocks for curves gets question marks
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except (MaggyError, ImportError) as error:  # a library that is an extra is not installed
        print(f"maggy {options.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush complains
        return 0
    except KeyboardInterrupt:
        return 130
    return status


class _Version(argparse.Action):
    """Argparse's own wants the version before anybody asks for it, and finding it takes its time."""

    def __call__(self, parser: argparse.ArgumentParser, *args: object) -> None:
        from maggy import __version__

        print(f"maggy {__version__}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """What the command understands."""
    parser = argparse.ArgumentParser(
        prog="maggy", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version of Maggy and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name in _COMMANDS:
        import_module(f"maggy.cli.{name}").add(commands)
    return parser
