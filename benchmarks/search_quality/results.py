"""What came of each run, one JSON line each, and what it says about two contestants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_quality.grid import Cell
from benchmarks.search_quality.pool import Run

PATH = Path(__file__).parents[1] / "results" / "search_quality.jsonl"
SHARES = tuple(share / 10 for share in range(1, 11))
RESAMPLES = 10_000
SPLITS = 100_000

Row = dict[str, Any]


def row(cell: Cell, run: Run) -> Row:
    """The line of a run. `regrets` are those when 10 %, 20 %, ... of the budget were spent."""
    regrets = [run.regrets[min(max(round(share * cell.steps), 1), len(run.regrets)) - 1] for share in SHARES]
    return asdict(cell) | {
        "trials": run.trials,
        "regrets": [float(f"{regret:.4g}") for regret in regrets],
        "seconds": float(f"{run.seconds:.4g}"),
        "asking_s": float(f"{run.asking_s:.3g}"),
        "slowest_s": float(f"{run.slowest_s:.3g}"),
    }


def cell_of(row: Row) -> Cell:
    return Cell(row["seed"], row["workers"], row["problem"], row["contestant"], row["steps"])


def load(path: Path) -> list[Row]:
    """Every line; a last one that was cut off is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def append(path: Path, row: Row) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row, separators=(",", ":")) + "\n")


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of the mean: 95 %, by the percentiles of the means of samples drawn from the values with replacement."""
    rng = np.random.default_rng(0)
    means = rng.choice(np.asarray(values), (RESAMPLES, len(values))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def p_value(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """That their means are as far apart by chance: a two-sided permutation test.

    Not a paired one: two searches with the same seed have no luck in common, and ten pairs alone could never show what
    is left of 5 % after a correction for hundreds of comparisons.
    """
    values = np.array([*ours, *theirs], float)
    drawn = _splits(len(ours), len(values)) @ values
    expected = values.mean() * len(ours)
    rounding = 1e-9 * np.abs(values).sum()
    as_far = np.abs(drawn - expected) >= abs(sum(ours) - expected) - rounding
    return float((as_far.sum() + 1) / (SPLITS + 1))


@cache
def _splits(drawn: int, of: int) -> np.ndarray:
    """Ways to draw so many, as rows of 0 and 1."""
    order = np.random.default_rng(0).random((SPLITS, of)).argsort(1)
    return (order < drawn).astype(np.float64)


def holm(p_values: Iterable[float]) -> list[float]:
    """Corrected for how many there are: each is an error with the probability it says, whichever one looks at.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    values = list(p_values)
    corrected = [0.0] * len(values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = least
    return corrected
