"""Many small studies: in each, which of ten shifts lies nearest to the numbers of one partition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

KEY = "key"
ROWS = 20
"""In each partition."""
SHIFTS = [step / 10 for step in range(10)]
"""The candidates of each partition."""


def frame(partitions: int) -> pd.DataFrame:
    """The same numbers in every run, around another middle in each partition."""
    rng = np.random.default_rng(0)
    middles = np.repeat(rng.uniform(0, 1, partitions), ROWS)
    keys = np.repeat(np.arange(partitions), ROWS)
    return pd.DataFrame({KEY: keys, "x": middles + rng.normal(0, 0.05, partitions * ROWS)})


def gap(shift: float, rows: pd.DataFrame) -> float:
    """The objective: next to nothing, so that what is measured is what it costs to try."""
    return float(((rows["x"] - shift) ** 2).mean())


def digest(found: Iterable[tuple[int, float]]) -> str:
    """Stands for the best shift of each partition: both sides have to come to the same."""
    return hashlib.sha256(repr(sorted((int(key), float(shift)) for key, shift in found)).encode()).hexdigest()[:16]
