"""`maggy completion`: the TAB key."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands

_MORE = """\
Prints a script for the shell, which knows every command and option. Print it again after an upgrade of Maggy. Needs
`pip install 'maggy[completion]'`.
"""

_EXAMPLES = """\
maggy completion bash > ~/.local/share/bash-completion/completions/maggy
maggy completion zsh > ~/.zfunc/_maggy       # with fpath+=~/.zfunc before compinit in ~/.zshrc
maggy completion fish > ~/.config/fish/completions/maggy.fish
"""

_SHELLS = ("bash", "zsh", "fish")
_FOLDERS, _FILES = ("PATH", "DIR", "A", "B"), ("FILE", "SOURCE", "TARGET")


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "completion",
        _completion,
        help="print what makes the TAB key complete maggy's commands",
        more=_MORE,
        examples=_EXAMPLES,
        path=False,
        json=None,
    )
    parser.add_argument("shell", choices=_SHELLS)


def _completion(options: argparse.Namespace) -> int:
    from maggy.cli import parser
    from maggy.errors import ConfigError

    try:
        import shtab
    except ImportError:
        raise ConfigError("completion needs shtab: pip install 'maggy[completion]'") from None
    root = parser()
    for action in _actions(root):
        if action.metavar in (*_FOLDERS, *_FILES):
            action.complete = shtab.FILE if action.metavar in _FILES else shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(root, shell=options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)
