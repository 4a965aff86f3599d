"""The same training through Maggy: `python -m benchmarks.torchrun.ours FOLDER` prints what `fit` returns."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from benchmarks.torchrun import WORKERS
from benchmarks.torchrun.training import BATCH_SIZE, Net, data, fit
from maggy import lagom
from maggy.config import TorchDistributedConfig


def train(model: Any, train_set: Any, test_set: Any, context: Any, reporter: Any) -> dict[str, float]:
    torch.manual_seed(0)
    batches, tests = (context.loader(part, BATCH_SIZE) for part in (train_set, test_set))
    return fit(model(), batches, tests, context.mean, reporter.broadcast)


def main(folder: str) -> None:
    train_set, test_set = data()
    config = TorchDistributedConfig(
        model=Net,
        train_set=train_set,
        test_set=test_set,
        num_workers=WORKERS,
        resources_per_worker={"cpu": 1},  # one thread each, as under torchrun
        combine="first",  # rank 0's, as there
        experiment_dir=folder,
    )
    print(json.dumps(lagom(train, config, engine="local").trials[0].metric_dict))


if __name__ == "__main__":
    main(sys.argv[1])
