"""What a contestant's process says, and what is said of one that fails."""

from __future__ import annotations

import pytest

from benchmarks.harness.settings import run_json


def test_the_first_line_of_a_failure_says_why():
    with pytest.raises(RuntimeError) as failure:
        run_json("maggy", "benchmarks.nobody", timeout_s=60)
    first = str(failure.value).splitlines()[0]
    assert first.startswith("benchmarks.nobody failed with 1: ") and first.endswith("No module named benchmarks.nobody")
