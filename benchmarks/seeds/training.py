"""What is trained: a perceptron on the noisy digits of `search_quality`, in numpy and so in one thread.

Three hidden layers, plain momentum. How long an epoch takes depends on the configuration: small batches and wide
layers cost more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_quality.training import Network, accuracy, noisy_digits, softmax

SPLITS = ("train", "validation", "test")
CLASSES = 10


def write_data(path: Path) -> None:
    """Write the data to where every executor can read them, in no time and without scikit-learn."""
    arrays = dict(zip(SPLITS, noisy_digits(), strict=True))
    images = {f"{name}_images": images.astype(np.float32) for name, (images, _) in arrays.items()}
    labels = {f"{name}_labels": labels for name, (_, labels) in arrays.items()}
    np.savez(path, **images, **labels)


@cache
def read_data(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels by split."""
    with np.load(path) as stored:
        return {name: (stored[f"{name}_images"], stored[f"{name}_labels"]) for name in SPLITS}


class Training:
    """A network on its way; with pickle it can be put down and taken up again.

    params  lr, momentum, batch, weight_decay, init_scale, width
    seed    of the initial weights and of the order of the examples
    """

    def __init__(self, params: Mapping[str, Any], data: Path, seed: int) -> None:
        self.params, self.data, self.epochs = dict(params), data, 0
        self.rng = np.random.default_rng(seed)
        images, _ = read_data(data)["train"]
        sizes = [images.shape[1], *[params["width"]] * 3, CLASSES]
        self.network = Network(sizes, params["init_scale"], self.rng)

    def epoch(self) -> None:
        """See every example once."""
        images, labels = read_data(self.data)["train"]
        with np.errstate(all="ignore"):  # what diverges guesses
            self.network.epoch(
                images, np.eye(CLASSES, dtype=np.float32)[labels], gradient, self.params, self.params["lr"], self.rng
            )
        self.epochs += 1

    def accuracy(self, split: str) -> float:
        """On "validation" or "test" data."""
        images, labels = read_data(self.data)[split]
        with np.errstate(all="ignore"):
            outputs = self.network.outputs(images)
        return accuracy(np.nan_to_num(outputs, nan=-1e30).argmax(1), labels)


def gradient(outputs: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return (softmax(outputs) - wanted) / len(wanted)
