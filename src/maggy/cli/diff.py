"""`maggy diff`: what differs between two experiments."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands

_MOST = 20


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "diff",
        _diff,
        help="say what differs between two experiments",
        more="Code, git, versions, config, search space, engine, data and results, trial by trial. Exit status 1 if "
        "anything differs.",
        examples="maggy diff maggy-runs/train/3 maggy-runs/train/4",
        path=False,
    )
    parser.add_argument("first", metavar="A", help="an experiment's folder, a path or a URL")
    parser.add_argument("second", metavar="B", help="another one")
    parser.add_argument("--all", action="store_true", help=f"list all that differs, not only {_MOST} of each kind")


def _diff(options: argparse.Namespace) -> int:
    from maggy.cli.output import print_json
    from maggy.comparing import compare

    found = compare(options.first, options.second)
    if options.json:
        print_json(found)
    elif not found:
        print("no difference")
    else:
        for section, differences in found.items():
            _print(section, differences, len(differences) if options.all else _MOST)
    return 1 if found else 0


def _print(section: str, differences: Mapping[str, Any], most: int) -> None:
    print(section)
    for name, each in list(differences.items())[:most]:
        if isinstance(each, str):
            print(f"  {name}{each}")
        else:
            print(f"  {name}: {_said(*each)}")
    if len(differences) > most:
        print(f"  and {len(differences) - most} more (--all)")


def _said(before: Any, after: Any) -> str:
    """Two values; of two dicts, only what differs in them."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return "; ".join(f"{name} {_said(before.get(name), after.get(name))}" for name in names)
    return f"{_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    return "nothing" if value is None else str(value)
