"""The site: built strictly, whole without any other host, and with a reference that is readable and complete."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
PUBLIC = ("maggy", "maggy.ablation", "maggy.callbacks", "maggy.earlystop", "maggy.optimizer", "maggy.testing")
INTERNAL = {  # other packages of Maggy use them; they are no promise
    *("maggy.earlystop.EarlyStopAdapter", "maggy.earlystop.resolve"),
    *(f"maggy.optimizer.{name}" for name in ("Draw", "Draws", "Fact", "History", "OptimizerAdapter", "Undrawn")),
    *("maggy.optimizer.resolve", "maggy.optimizer.sampler_named", "maggy.experiment"),
    *("maggy.KerasBatchEnd", "maggy.KerasEpochEnd"),  # are there by the name of their package
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def pages(site: Path) -> Iterator[tuple[Path, str]]:
    for page in site.rglob("*.html"):
        yield page, page.read_text()


def test_a_reader_of_the_site_asks_no_other_host_for_anything(site: Path) -> None:
    elsewhere = re.compile(r"<(script|img|iframe|source|link)\b[^>]*\b(src|href)=\"?(https?:)?//[^>]*>")
    for page, text in pages(site):
        assert elsewhere.search(text) is None, page
        assert 'class="mermaid"' not in text, f"{page}: Mermaid would be fetched; run python tools/diagrams.py"
        assert "<code>\\|" not in text, f"{page}: in a table, write <code>&#124;</code>, which all readers understand"
    assert "diagram" in (site / "architecture.html").read_text()


def test_the_columns_of_a_docstring_are_a_list_of_definitions(site: Path) -> None:
    page = (site / "reference" / "configs.html").read_text()

    assert '<h2 id="maggy.config.HyperparameterOptConfig"' in page
    assert "<dt><code>num_trials</code></dt>\n<dd>how many configurations are tried" in page
    assert "checkpoint_quota_bytes" in page and "optimization\\_key" not in page


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    there = {name for _, text in pages(site / "reference") for name in re.findall(r'id="(maggy[\w.]*)"', text)}
    configs = {
        f"maggy.config.{name}" for name in importlib.import_module("maggy.config").__all__ if name.endswith("Config")
    }
    module = importlib.import_module("maggy.errors")
    errors = {f"maggy.errors.{name}" for name, value in vars(module).items() if is_error(value)}
    named = {f"{package}.{name}" for package in PUBLIC for name in importlib.import_module(package).__all__}

    assert sorted((named | configs | errors) - INTERNAL - there) == []


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception) and value.__module__ == "maggy.errors"


def test_docstrings_become_markdown() -> None:
    from tools.docstrings import to_markdown

    columns = "what, how  two of them,\n           and why\nfolder     ./<name>"

    assert to_markdown(f"Say it.\n\n{columns}\n\nA *bold* `a_b*c` a_b.\n\n>>> 1 + 1\n2") == (
        "Say it.\n\n`what`, `how`\n:   two of them, and why\n\n`folder`\n:   ./&lt;name>\n\n"
        "A \\*bold\\* `a_b*c` a\\_b.\n\n```pycon\n>>> 1 + 1\n2\n```"
    )
