"""A search that is watched: `python training.py FOLDER`. Two trials return, the others run until they are stopped."""

from __future__ import annotations

import sys

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig


def train(x, reporter):
    import time

    step = 0
    while True:
        print(f"step {step}", flush=True)
        reporter.broadcast(x * (1 - 0.9**step), step)
        step += 1
        if x < 3 and step == 5:
            return float(x)
        time.sleep(0.05)


if __name__ == "__main__":
    space = Searchspace(x=("DISCRETE", [1, 2, 3, 4, 5, 6]))
    config = HyperparameterOptConfig(
        6, "gridsearch", space, es_policy="none", name="watched", experiment_dir=sys.argv[1], num_workers=2
    )
    lagom(train, config, engine="local", verbose=0)
