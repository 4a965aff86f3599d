"""The demonstration of tuning, from a laptop to Spark, is run as a user would."""

from __future__ import annotations

import re
from pathlib import Path

import nbclient
import nbformat
import pytest

pytestmark = [pytest.mark.docs, pytest.mark.spark, pytest.mark.timeout(600)]

DEMO = Path(__file__).parents[2] / "examples" / "tuning" / "demo.ipynb"


def test_the_demonstration_gets_better_step_by_step_and_is_the_same_on_spark(tmp_path: Path) -> None:
    notebook = nbformat.read(DEMO, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is stored without its outputs"

    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300, resources=resources).execute()

    *_, watched = (cell for cell in notebook.cells if 'monitor="rungs"' in cell.source and cell.cell_type == "code")
    chart = "".join(output.data["text/plain"] for output in watched.outputs if "data" in output)
    assert re.findall(r"^(\d) +█+ +(\d+)", chart, re.MULTILINE)[-4:] == [
        ("0", "16"),
        ("1", "8"),
        ("2", "4"),
        ("3", "2"),
    ]

    printed = next(output.text for output in notebook.cells[-1].outputs if output.output_type == "stream")
    found = {name: float(metric) for name, metric in map(str.split, printed.splitlines())}
    assert list(found) == ["check", "small", "halving", "spark", "hyperband", "asha"]
    assert found["check"] > found["small"] > found["halving"]
    assert found["spark"] == pytest.approx(found["halving"], abs=0.1)
    assert max(found["hyperband"], found["asha"]) < found["small"]
