"""`lagom` on local workers with an optimizer that fits a model to all that was tried: the gaps between trials."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.overhead import work
from benchmarks.overhead.ours.lagom import Lagom


def nap_of_five(x: float, y0: float, y1: float, y2: float, y3: float) -> dict[str, float]:
    """`nap`, with a metric that a model has something to learn from."""
    return {"Metric": sum((y - 0.3) ** 2 for y in (x, y0, y1, y2, y3)), **work.nap(x)}


def measure(optimizer: str, trials: int, last: int, folder: Path) -> dict[str, Any]:
    """The gaps among the last trials, when the model is at its largest, and the share of these that it suggested."""
    from maggy import Searchspace

    space = Searchspace(x=("DOUBLE", [0.0, 1.0]), **{f"y{n}": ("DOUBLE", [0.0, 1.0]) for n in range(4)})
    tried = Lagom("local", folder).search(nap_of_five, trials, optimizer, space).trials[-last:]
    from_model = sum(trial.origin == "model" for trial in tried)
    return {"gap_ms": work.gaps_ms([trial.metric_dict for trial in tried]), "model_pct": 100 * from_model / last}


def main() -> None:
    optimizer, trials, last = sys.argv[1:]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        work.answer(**measure(optimizer, int(trials), int(last), Path(folder)))


if __name__ == "__main__":
    main()
