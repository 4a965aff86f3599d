"""The page on the command line is true: its commands run, in order, on the files that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.cli import parser

pytestmark = pytest.mark.docs

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def test_the_commands_on_the_page_run() -> None:
    commands = []
    for language, text in BLOCK.findall(PAGE.read_text()):
        if language == "console":
            commands += [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
        elif text.startswith("# "):
            Path(text.splitlines()[0].removeprefix("# ")).write_text(text)
    assert len(commands) > 12
    script = f'maggy() {{ "{sys.executable}" -m maggy "$@"; }}\nset -eux\n' + "\n".join(commands)
    answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=170, env=dict(os.environ))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_command_is_on_the_page() -> None:
    page = PAGE.read_text()
    (action,) = (each for each in parser()._actions if each.dest == "command")
    for name in action.choices:
        assert f"`{name}`" in page, name
