"""What `startup` runs in an interpreter of its own: prints seconds for the import and until the first trial."""

from __future__ import annotations

import json
import sys
import time


def lagom_probe() -> tuple[float, float]:
    import tempfile

    before = time.time()
    from maggy import Searchspace, lagom
    from maggy.config import HyperparameterOptConfig

    imported_s = time.time() - before
    from benchmarks.functions import first_line

    with tempfile.TemporaryDirectory() as folder:
        space = Searchspace(x=("DOUBLE", [0, 1]))
        config = HyperparameterOptConfig(2, "randomsearch", space, direction="min", experiment_dir=f"{folder}/1")
        called = time.time()
        result = lagom(first_line, config, engine="local")
    return imported_s, result["best_val"] - called


def pool_probe() -> tuple[float, float]:
    before = time.time()
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    imported_s = time.time() - before
    from benchmarks.functions import first_line

    called = time.time()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return imported_s, min(pool.map(first_line, [0.0, 1.0])) - called


if __name__ == "__main__":
    print(json.dumps({"lagom": lagom_probe, "pool": pool_probe}[sys.argv[1]]()))
