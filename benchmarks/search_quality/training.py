"""Four real training tasks, small enough that hundreds of configurations can be trained to the end on two cores.

Each task names its search space and trains one configuration for `EPOCHS` epochs. It says after each epoch how good
the model is on validation data and on test data, which no search is ever shown. Data come with scikit-learn or are
made here; splits are fixed. A run that diverges scores like a constant prediction from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.search_quality.space import Params, Space

EPOCHS = 81
TREES_PER_EPOCH = 4
SPLIT_SEED = 20

Scores = tuple[float, float]
"""On validation data and on test data."""
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """What is trained.

    space        the hyperparameters, in the seeds' form
    direction    of the scores: "max" for accuracies, "min" for errors
    metric       what the scores are
    description  data and model, for the reader
    train        trains one configuration; the generator decides initial weights and the order of the examples
    """

    space: Space
    direction: str
    metric: str
    description: str
    train: Callable[[Params, np.random.Generator], Iterator[Scores]]


def log(low: float, high: float, kind: str = "DOUBLE") -> tuple[Any, ...]:
    return (kind, [low, high], {"log": True})


# --- a perceptron on digits ---


@cache
def digits() -> tuple[Split, Split, Split]:
    """8x8 images of handwritten digits, 0 to 1: 899 to train on, 449 to validate, 449 to test."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    images, labels = (images[order] / 16).astype(np.float32), labels[order]
    return tuple((images[part], labels[part]) for part in parts(899, 449, 449))  # type: ignore[return-value]


def train_digits_mlp(params: Params, rng: np.random.Generator) -> Iterator[Scores]:
    (images, labels), *held_out = digits()
    network = Network([64, params["width"], 10], params["init_scale"], rng)
    one_hot = np.eye(10, dtype=np.float32)[labels]

    def gradient(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return (softmax(outputs) - targets) / len(targets)

    for _ in range(EPOCHS):
        network.epoch(images, one_hot, gradient, params, params["lr"], rng)
        yield tuple(accuracy(network.outputs(x).argmax(1), y) for x, y in held_out)  # type: ignore[misc]


# --- a perceptron that learns from a teacher ---


@cache
def teacher() -> tuple[Split, Split, Split]:
    """A fixed random network with 16 inputs and two hidden layers answers, with noise: 1024 + 1024 + 1024 pairs."""
    rng = np.random.default_rng(SPLIT_SEED)
    inputs = rng.normal(size=(3072, 16)).astype(np.float32)
    hidden = np.tanh(inputs @ rng.normal(0, 1.5 / 4, (16, 12)))
    hidden = np.tanh(hidden @ rng.normal(0, 1.5 / 12**0.5, (12, 12)))
    answers = hidden @ rng.normal(size=(12, 1))
    answers = (answers - answers.mean()) / answers.std() + rng.normal(0, 0.1, answers.shape)
    return tuple((inputs[part], answers[part].astype(np.float32)) for part in parts(1024, 1024, 1024))  # type: ignore[return-value]


def train_teacher_mlp(params: Params, rng: np.random.Generator) -> Iterator[Scores]:
    (inputs, answers), *held_out = teacher()
    network = Network([16, 48, 48, 1], 1.0, rng)

    def gradient(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return (outputs - targets) / len(targets)

    for epoch in range(EPOCHS):
        lr = params["lr"] * params["final_lr"] ** (epoch / (EPOCHS - 1))
        network.epoch(inputs, answers, gradient, params, lr, rng)
        yield tuple(relative_error(network.outputs(x), y) for x, y in held_out)  # type: ignore[misc]


# --- a linear classifier on noisy digits ---


@cache
def noisy_digits() -> tuple[Split, Split, Split]:
    """The digits with grainy pixels and 64 more pixels of pure noise; a tenth of the training labels are wrong."""
    rng = np.random.default_rng(SPLIT_SEED + 1)
    split = []
    for images, labels in digits():
        grainy = images + rng.normal(0, 0.3, images.shape)
        split.append((np.hstack([grainy, rng.normal(0, 0.5, images.shape)]).astype(np.float64), labels.copy()))
    labels = split[0][1]
    wrong = rng.random(len(labels)) < 0.1
    labels[wrong] = rng.integers(10, size=wrong.sum())
    return tuple(split)  # type: ignore[return-value]


def train_noisy_linear(params: Params, rng: np.random.Generator) -> Iterator[Scores]:
    from sklearn.linear_model import SGDClassifier

    (images, labels), *held_out = noisy_digits()
    model = SGDClassifier(
        loss=params["loss"],
        penalty=params["penalty"],
        alpha=params["alpha"],
        learning_rate="invscaling",
        eta0=params["lr"],
        power_t=params["power"],
        random_state=int(rng.integers(2**31)),
    )
    diverged = False
    for _ in range(EPOCHS):
        if not diverged:
            order = rng.permutation(len(labels))
            try:
                model.partial_fit(images[order], labels[order], classes=np.arange(10))
            except ValueError:  # scikit-learn's word for weights that are no longer finite
                diverged = True
        if diverged:
            yield tuple(accuracy(np.zeros_like(y), y) for _, y in held_out)  # type: ignore[misc]
        else:
            yield tuple(accuracy(model.predict(x), y) for x, y in held_out)  # type: ignore[misc]


# --- boosted trees ---


@cache
def friedman() -> tuple[Split, Split, Split]:
    """Friedman's first function: 5 of 10 inputs matter, in a non-linear way; noise of 1. 400 + 1000 + 1000 pairs."""
    from sklearn.datasets import make_friedman1

    inputs, answers = make_friedman1(2400, n_features=10, noise=1.0, random_state=SPLIT_SEED)
    answers = (answers - answers.mean()) / answers.std()
    return tuple((inputs[part], answers[part]) for part in parts(400, 1000, 1000))  # type: ignore[return-value]


def train_boosting(params: Params, rng: np.random.Generator) -> Iterator[Scores]:
    from sklearn.ensemble import GradientBoostingRegressor

    (inputs, answers), *held_out = friedman()
    model = GradientBoostingRegressor(
        learning_rate=params["lr"],
        max_depth=params["depth"],
        min_samples_leaf=params["leaf"],
        subsample=params["subsample"],
        max_features=params["features"],
        n_estimators=TREES_PER_EPOCH,
        warm_start=True,
        random_state=np.random.RandomState(int(rng.integers(2**31))),
    )
    for epoch in range(EPOCHS):
        model.n_estimators = TREES_PER_EPOCH * (epoch + 1)
        model.fit(inputs, answers)
        yield tuple(relative_error(model.predict(x), y) for x, y in held_out)  # type: ignore[misc]


# --- what they share ---


class Network:
    """A perceptron with ReLUs, trained by stochastic gradient descent with momentum and weight decay."""

    def __init__(self, sizes: list[int], init_scale: float, rng: np.random.Generator) -> None:
        shapes = list(pairwise(sizes))
        self.weights = [
            rng.normal(0, init_scale * (2 / inputs) ** 0.5, (inputs, outputs)).astype(np.float32)
            for inputs, outputs in shapes
        ]
        self.biases = [np.zeros(outputs, np.float32) for _, outputs in shapes]
        self.velocities = [np.zeros_like(parameter) for parameter in self.weights + self.biases]

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        return self.activations(inputs)[-1]

    def activations(self, inputs: np.ndarray) -> list[np.ndarray]:
        layers = [inputs]
        for weights, biases in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layers.append(np.maximum(layers[-1] @ weights + biases, 0))
        return [*layers, layers[-1] @ self.weights[-1] + self.biases[-1]]

    def epoch(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        gradient: Callable[[np.ndarray, np.ndarray], np.ndarray],
        params: Params,
        lr: float,
        rng: np.random.Generator,
    ) -> None:
        """See every example once, in batches; `gradient` is that of the loss by the outputs."""
        momentum, weight_decay = params["momentum"], params["weight_decay"]
        order = rng.permutation(len(inputs))
        for start in range(0, len(order), params["batch"]):
            batch = order[start : start + params["batch"]]
            layers = self.activations(inputs[batch])
            error = gradient(layers.pop(), targets[batch])
            for index in reversed(range(len(self.weights))):
                below = layers.pop()
                by_weights = below.T @ error + weight_decay * self.weights[index]
                by_biases = error.sum(0)
                error = (error @ self.weights[index].T) * (below > 0)
                self.step(self.weights[index], self.velocities[index], by_weights, lr, momentum)
                self.step(self.biases[index], self.velocities[index + len(self.weights)], by_biases, lr, momentum)

    @staticmethod
    def step(parameter: np.ndarray, velocity: np.ndarray, gradient: np.ndarray, lr: float, momentum: float) -> None:
        velocity *= momentum
        velocity -= lr * gradient
        parameter += velocity


def parts(*sizes: int) -> list[slice]:
    ends = np.cumsum(sizes)
    return [slice(int(end - size), int(end)) for end, size in zip(ends, sizes, strict=True)]


def softmax(outputs: np.ndarray) -> np.ndarray:
    powers = np.exp(outputs - outputs.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    return float((predicted == labels).mean())


def relative_error(predicted: np.ndarray, answers: np.ndarray) -> float:
    """Root mean square error over that of the best constant; 1 at most, also where it is not finite."""
    error = float(np.sqrt(np.mean((predicted.astype(np.float64) - answers) ** 2)) / answers.std())
    return min(error, 1.0) if np.isfinite(error) else 1.0


TASKS = {
    "digits_mlp": Task(
        space={
            "lr": log(1e-4, 10),
            "momentum": ("DOUBLE", [0.0, 0.99]),
            "batch": log(8, 256, "INTEGER"),
            "width": log(4, 128, "INTEGER"),
            "weight_decay": log(1e-6, 1),
            "init_scale": log(1e-2, 10),
        },
        direction="max",
        metric="accuracy",
        description="A perceptron with one hidden layer on scikit-learn's digits.",
        train=train_digits_mlp,
    ),
    "teacher_mlp": Task(
        space={
            "lr": log(1e-4, 1),
            "final_lr": log(1e-3, 1),
            "momentum": ("DOUBLE", [0.0, 0.99]),
            "batch": log(8, 256, "INTEGER"),
            "weight_decay": log(1e-6, 1e-1),
        },
        direction="min",
        metric="relative root mean square error",
        description="A perceptron with two hidden layers learns what a random network answers. "
        "Its learning rate falls exponentially from lr to lr * final_lr.",
        train=train_teacher_mlp,
    ),
    "noisy_linear": Task(
        space={
            "lr": log(1e-4, 10),
            "power": ("DOUBLE", [0.0, 1.0]),
            "alpha": log(1e-7, 1),
            "loss": ("CATEGORICAL", ["log_loss", "hinge", "modified_huber", "perceptron"]),
            "penalty": ("CATEGORICAL", ["l2", "l1"]),
        },
        direction="max",
        metric="accuracy",
        description="A linear classifier (scikit-learn's SGDClassifier) on digits with grainy pixels, as many pixels "
        "of pure noise, and a tenth of the training labels wrong. Its learning rate is lr / examples^power.",
        train=train_noisy_linear,
    ),
    "boosting": Task(
        space={
            "lr": log(1e-3, 1),
            "depth": ("INTEGER", [1, 8]),
            "leaf": log(1, 64, "INTEGER"),
            "subsample": ("DOUBLE", [0.2, 1.0]),
            "features": ("DOUBLE", [0.1, 1.0]),
        },
        direction="min",
        metric="relative root mean square error",
        description="Gradient boosting (scikit-learn's) of Friedman's first function; an epoch is four more trees.",
        train=train_boosting,
    ),
}
