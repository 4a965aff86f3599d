"""The examples of tuning are run as a user would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

TUNING = Path(__file__).parents[2] / "examples" / "tuning"


def test_the_shop_serves_its_customers_with_what_the_lorry_can_carry(tmp_path: Path) -> None:
    command = [sys.executable, str(TUNING / "inventory.py"), "--engine", "local", "--trials", "25"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=150)
    lines = [
        re.fullmatch(r"(.*): order at (\d+), up to (\d+): (.*) a day, (.*)% served", line)
        for line in done.stdout.splitlines()
    ]
    assert [line[1] for line in lines] == [f"product {index}" for index in range(4)]
    for line in lines:
        assert int(line[2]) < int(line[3]) <= int(line[2]) + 60
        assert float(line[4]) < 30 and float(line[5]) >= 95
