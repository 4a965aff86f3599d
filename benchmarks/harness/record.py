"""What one run of a benchmark left: its tables, with everything that is needed to judge them, as a JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.settings import ROOT
from benchmarks.harness.tables import Table

RESULTS = ROOT / "benchmarks" / "results" / "tables"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark, run once.

    name     of the benchmark
    full     by `make bench-full`; else by `make bench`
    seconds  that it took
    facts    the machine, the versions, the commit and the date
    """

    name: str
    full: bool
    seconds: float
    facts: dict[str, Any]
    tables: Sequence[Table]

    @property
    def command(self) -> str:
        """What runs it again."""
        return f"python -m benchmarks {self.name}{' --full' if self.full else ''}"


def save(record: Record) -> Path:
    """Write it where the page finds it, in the place of the one before."""
    path = path_of(record.name, record.full)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    return path


def load(name: str, full: bool) -> Record | None:
    """The last run; None if there is none."""
    path = path_of(name, full)
    return msgspec.json.decode(path.read_bytes(), type=Record) if path.exists() else None


def path_of(name: str, full: bool) -> Path:
    """The file of a benchmark."""
    return RESULTS / f"{name}.{'full' if full else 'short'}.json"
