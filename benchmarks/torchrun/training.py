"""The training that is the same on both sides: model, data, loop, and the moments that it notes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

BATCH_SIZE = 64
STEPS = 50  # in an epoch
EPOCHS = 21  # the first is not counted: the frameworks prepare themselves at its first step


class Net(nn.Sequential):
    """Small, so that what is not computing shows."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))


def data() -> tuple[TensorDataset, TensorDataset]:
    """To train on, and to test on: points of ten classes."""
    chance = torch.Generator().manual_seed(0)
    centres = torch.randn(10, 64, generator=chance)
    labels = torch.randint(10, ((STEPS + 4) * BATCH_SIZE,), generator=chance)
    points = centres[labels] + 2 * torch.randn(len(labels), 64, generator=chance)
    cut = STEPS * BATCH_SIZE
    return TensorDataset(points[:cut], labels[:cut]), TensorDataset(points[cut:], labels[cut:])


def fit(
    net: Any,
    train: Iterable[list[Tensor]],
    test: Iterable[list[Tensor]],
    mean: Callable[[float, int], float],
    report: Callable[[float, int], None],
) -> dict[str, float]:
    """Train, and return the loss on the test data, milliseconds for each step, and when it began and ended.

    mean    of all workers, from a worker's sum and count
    report  is told the loss of each epoch
    """
    began = counted = time.time()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    loss = 0.0
    for epoch in range(EPOCHS):
        if epoch == 1:
            counted = time.time()
        net.train()
        for x, y in train:
            optimizer.zero_grad()
            cross_entropy(net(x), y).backward()
            optimizer.step()
        net.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for x, y in test:
                total += cross_entropy(net(x), y, reduction="sum").item()
                count += len(y)
        loss = mean(total, count)
        report(loss, epoch)
    ended = time.time()
    return {
        "Metric": loss,
        "step_ms": (ended - counted) * 1e3 / ((EPOCHS - 1) * STEPS),
        "began": began,
        "ended": ended,
    }
