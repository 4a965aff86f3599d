"""The documentation is true: its code runs, its error messages are the real ones, its diagram is current."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.brain import diagram

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_NOT_RUN = "<!-- not run"
_ON_SPARK = ('engine="spark"', "pyspark")
_ERROR_ROW = re.compile(r"\| `(?P<code>.+?)` \| `(?P<error>\w+): (?P<says>.+?)` \|$")


def script(page: str) -> str:
    """All Python of a page as one script, each line where it stands on the page.

    A block below a comment that starts with `_NOT_RUN` is left out. A row of a table that has code in its first cell
    and an error in its second has to raise it; `...` in its message stands for anything. A page starts with a heading,
    so that the first line is free.
    """
    lines = page.splitlines()
    code = ["import pytest, maggy.errors as _errors"] + [""] * (len(lines) - 1)
    in_block = False
    for number, line in enumerate(lines):
        if line.startswith("```"):
            skipped = number > 0 and lines[number - 1].startswith(_NOT_RUN)
            in_block = line == "```python" and not skipped
        elif in_block:
            code[number] = line
        elif row := _ERROR_ROW.match(line):
            says = ".*".join(re.escape(part) for part in row["says"].split("..."))
            code[number] = f"with pytest.raises(_errors.{row['error']}, match={'(?s)' + says!r}): {row['code']}"
    return "\n".join(code) + "\n"


def commands(page: str) -> list[tuple[str, str]]:
    """The command lines of a page's `console` blocks, each with what it prints."""
    lines = page.splitlines()
    found: list[tuple[str, str]] = []
    in_block = False
    for number, line in enumerate(lines):
        if line.startswith("```"):
            skipped = number > 0 and lines[number - 1].startswith(_NOT_RUN)
            in_block = line == "```console" and not skipped
        elif in_block and line.startswith("$ "):
            found.append((line[2:], ""))
        elif in_block:
            command, prints = found[-1]
            found[-1] = command, f"{prints}{line}\n"
    return found


def as_pattern(prints: str) -> str:
    """What a page says that a command prints, as a regular expression: any number stands for a number, any spaces for
    spaces, and anything for `...`."""
    words = []
    for word in prints.split():
        parts = (re.sub(r"\d[\d.]*(e-?\d+)?", "0", part) for part in word.split("..."))
        words.append(".*".join(re.escape(part).replace("0", r"\d[\d.]*(e[+-]?\d+)?") for part in parts))
    return r"(?s)" + r"\s+".join(words)


WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]


def on_spark(page: Path) -> bool:
    return any(word in script(page.read_text()) for word in _ON_SPARK)


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.spark] if on_spark(page) else [], id=page.name) for page in WITH_CODE],
)
def test_the_code_on_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    file = tmp_path / f"{page.stem}.py"
    file.write_text(script(text))

    # Contract suites on a page are run too; pytest runs everything else on the page while it collects them.
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if "\nclass Test" in text else []
    done = subprocess.run([sys.executable, *command, file], cwd=tmp_path, capture_output=True, text=True, timeout=150)

    assert done.returncode == 0, f"{page}\n{done.stdout}{done.stderr}"

    # Then its command lines, in the same folder.
    for command, prints in commands(text):
        name, *arguments = shlex.split(command)
        assert name == "maggy", f"{page}: only commands of our own are run, mark the block as not run: {command}"
        said = subprocess.run([sys.executable, "-m", name, *arguments], cwd=tmp_path, capture_output=True, text=True)

        assert said.returncode == 0, f"{page}: {command}\n{said.stdout}{said.stderr}"
        assert re.search(as_pattern(prints), said.stdout), f"{page}: {command} prints\n{said.stdout}"


def test_a_console_block_becomes_commands_and_what_they_print() -> None:
    page = "# Page\n```console\n$ maggy list runs\nrun  3 of 4   0.5\n...\n$ maggy stop runs/1\n```\n"

    assert commands(page) == [("maggy list runs", "run  3 of 4   0.5\n...\n"), ("maggy stop runs/1", "")]
    assert re.search(as_pattern("run  3 of 4   0.5\n..."), "NAME\nrun 12 of 14 1e-05\nmore")
    assert not re.search(as_pattern("run  3 of 4"), "run 3 from 4")


def test_every_page_with_code_is_found_and_the_errors_are_among_them() -> None:
    names = {page.name for page in WITH_CODE}
    assert {
        "README.md",
        "index.md",
        "quickstart.md",
        "tune-a-function.md",
        "choosing.md",
        "coming-from-optuna.md",
        "concepts.md",
        "checkpoints.md",
        "extending.md",
        "spark.md",
        "errors.md",
    } <= names
    assert script((DOCS / "errors.md").read_text()).count("with pytest.raises") >= 40


def test_a_row_of_the_error_table_becomes_a_check_of_its_message() -> None:
    page = "# Errors\n| you write | you get |\n|---|---|\n| `f(0)` | `ConfigError: f has ... 0` |\n"

    assert script(page).splitlines() == [
        "import pytest, maggy.errors as _errors",
        "",
        "",
        r"with pytest.raises(_errors.ConfigError, match='(?s)f\\ has\\ .*\\ 0'): f(0)",
    ]


def test_the_diagram_of_a_trials_life_is_the_transition_table() -> None:
    assert diagram.main(["--check", str(DOCS / "architecture.md")]) == 0


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        assert str(page.relative_to(DOCS)) in navigation, f"{page} is missing from mkdocs.yml"
