"""The page on the command line is whole; that what it shows runs is seen to with all other pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from maggy.cli import parser

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.mark.docs
def test_every_command_is_on_the_page() -> None:
    page = PAGE.read_text()
    (action,) = (each for each in parser()._actions if each.dest == "command")
    for name in action.choices:
        assert f"`{name}`" in page, name
