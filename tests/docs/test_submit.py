"""The program of the pages about clusters, submitted to Spark as they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.docs, pytest.mark.spark]

PAGE = Path(__file__).parents[2] / "docs" / "yarn.md"


def test_the_program_of_the_page_about_yarn_runs_under_spark_submit(tmp_path: Path) -> None:
    from maggy.engine.spark_cluster import provide_java_for_spark

    program = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert program is not None
    (tmp_path / "search.py").write_text(program[1])
    find_home = [sys.executable, "-m", "pyspark.find_spark_home"]
    home = subprocess.run(find_home, capture_output=True, text=True, check=True).stdout.strip()
    provide_java_for_spark()

    done = subprocess.run(
        [f"{home}/bin/spark-submit", "--master", "local[2,4]", "search.py", tmp_path / "first"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "first" / "experiment.json").read_text())["engine"] == "spark"
    assert json.loads((tmp_path / "first" / "result.json").read_text())["num_trials"] > 0
