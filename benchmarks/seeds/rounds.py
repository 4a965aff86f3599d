"""Everybody once in each round, on one session of Spark."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness.settings import in_turn
from benchmarks.seeds import cluster
from benchmarks.seeds.training import write_data

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DATA = "data.npz"

Once = Callable[[str, int, float, "SparkSession", Path], dict[str, Any]]
"""Runs a method: its name, the number of the round from 1, how much, and a folder where the data lie."""


def main(methods: Iterable[str], once: Once) -> int:
    """What a module that is called with AMOUNT REPEATS FOLDER does: print what each method found in each round."""
    amount, repeats, folder = float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    write_data(folder / DATA)
    rounds = Counter[str]()

    def run(method: str) -> dict[str, Any]:
        rounds[method] += 1
        return once(method, rounds[method], amount, spark, folder)

    def failed(method: str, reason: str) -> None:
        raise SystemExit(f"{method}: {reason}")

    with cluster.session(folder) as spark:
        found = in_turn(repeats, [*methods], run, failed)
    print(json.dumps(found))
    return 0
