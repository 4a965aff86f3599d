"""Functions whose best value is known. All are to be minimised.

Where the textbook's best point is the middle of its range, the range is another one here: a search that likes middles
would find it by luck. Definitions: Surjanovic and Bingham, Virtual Library of Simulation Experiments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.search_quality.space import Params, Space

EPOCHS = 81


@dataclass(frozen=True)
class Function:
    """One of them.

    space     what is searched, in the seeds' form
    curve     the value after each step; a single one where there are no steps
    best      the least value there is at any step
    best_at   a configuration that has it, after the last step
    steps     how many a curve has
    """

    name: str
    space: Space
    curve: Callable[[Params], list[float]]
    best: float
    best_at: Params
    steps: int = 1


def cube(dimensions: int, low: float, high: float) -> Space:
    return {f"x{index}": ("DOUBLE", [low, high]) for index in range(1, dimensions + 1)}


def at(*values: float) -> Params:
    return {f"x{index}": value for index, value in enumerate(values, 1)}


def vector(params: Params) -> np.ndarray:
    return np.array([params[f"x{index}"] for index in range(1, len(params) + 1)], float)


def branin(x: np.ndarray) -> float:
    """Three equally good valleys."""
    bend = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return float(bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10)


HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
HARTMANN_SCALES = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(x: np.ndarray) -> float:
    """Four hills in six dimensions; the best one is narrow."""
    return float(-HARTMANN_WEIGHTS @ np.exp(-(HARTMANN_SCALES * (x - HARTMANN_CENTRES) ** 2).sum(1)))


def ackley(x: np.ndarray) -> float:
    """Almost flat and rough, with a funnel."""
    funnel = -20 * math.exp(-0.2 * math.sqrt(float(np.mean(x**2))))
    return funnel - math.exp(float(np.mean(np.cos(2 * math.pi * x)))) + 20 + math.e


def rosenbrock(x: np.ndarray) -> float:
    """A bent valley, easy to find and hard to follow."""
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def levy(x: np.ndarray) -> float:
    """Waves on a bowl, unevenly spread."""
    w = 1 + (x - 1) / 4
    first = math.sin(math.pi * w[0]) ** 2
    middle = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)).sum()
    return float(first + middle + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2))


def rastrigin(x: np.ndarray) -> float:
    """A regular grid of holes on a bowl."""
    return float((x**2 - 10 * np.cos(2 * math.pi * x) + 10).sum())


def pipeline(params: Params) -> float:
    """Like a training set-up: each optimizer has a learning rate and a knob of its own, and wants another one."""
    magnitude = math.log10(params["lr"])
    if params["optimizer"] == "sgd":
        loss = 0.5 * (magnitude + 1.5) ** 2 + 3 * (params["momentum"] - 0.9) ** 2
    elif params["optimizer"] == "adam":
        loss = 0.15 + 0.3 * (magnitude + 3) ** 2 + 0.1 * (math.log10(params["epsilon"]) + 8) ** 2 / 16
    else:
        loss = 0.4 + 0.2 * (magnitude + 2) ** 2
    loss += {"relu": 0.0, "gelu": 0.05, "tanh": 0.2, "sigmoid": 0.5}[params["activation"]]
    return loss + 0.03 * (params["layers"] - 5) ** 2 + 0.1 * (math.log10(params["weight_decay"]) + 4) ** 2


def late_bloomer(params: Params) -> list[float]:
    """Curves that fall to what the configuration is worth. The best ones fall slowly, so that early ranks mislead."""
    magnitude = math.log10(params["lr"])
    end = 0.08 * (magnitude + 2.5) ** 2 + 0.3 * (params["dropout"] - 0.6) ** 2
    end += 0.02 * (math.log2(params["width"]) - 7) ** 2
    start = 1.0 + 0.3 * params["dropout"]
    halving = 2 * 10 ** (-0.5 * (magnitude + 1)) * (1 + params["dropout"])  # steps until half of the way is done
    rest = 0.5 ** (EPOCHS / halving)  # taken off, so that the last step is where the curve ends
    return [end + start * (0.5 ** (step / halving) - rest) for step in range(1, EPOCHS + 1)]


def _single(function: Callable[[np.ndarray], float]) -> Callable[[Params], list[float]]:
    return lambda params: [function(vector(params))]


_HARTMANN_BEST = (0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730053)

FUNCTIONS = {
    function.name: function
    for function in (
        Function(
            name="branin",
            space={"x1": ("DOUBLE", [-5, 10]), "x2": ("DOUBLE", [0, 15])},
            curve=_single(branin),
            best=10 / (8 * math.pi),
            best_at=at(math.pi, 2.275),
        ),
        Function("hartmann6", cube(6, 0, 1), _single(hartmann6), -3.3223680114155125, at(*_HARTMANN_BEST)),
        Function("ackley5", cube(5, -15, 30), _single(ackley), 0.0, at(*[0.0] * 5)),
        Function("rosenbrock4", cube(4, -5, 10), _single(rosenbrock), 0.0, at(*[1.0] * 4)),
        Function("levy5", cube(5, -10, 10), _single(levy), 0.0, at(*[1.0] * 5)),
        Function("rastrigin4", cube(4, -2, 5), _single(rastrigin), 0.0, at(*[0.0] * 4)),
        Function(
            name="pipeline",
            space={
                "optimizer": ("CATEGORICAL", ["sgd", "adam", "rmsprop"]),
                "lr": ("DOUBLE", [1e-6, 1.0], {"log": True}),
                "momentum": ("DOUBLE", [0.0, 0.99], {"when": {"optimizer": "sgd"}}),
                "epsilon": ("DOUBLE", [1e-12, 1e-4], {"log": True, "when": {"optimizer": "adam"}}),
                "activation": ("CATEGORICAL", ["relu", "gelu", "tanh", "sigmoid"]),
                "layers": ("INTEGER", [1, 12]),
                "weight_decay": ("DOUBLE", [1e-7, 1e-1], {"log": True}),
            },
            curve=lambda params: [pipeline(params)],
            best=0.0,
            best_at={
                "optimizer": "sgd",
                "lr": 10**-1.5,
                "momentum": 0.9,
                "activation": "relu",
                "layers": 5,
                "weight_decay": 1e-4,
            },
        ),
        Function(
            name="late_bloomer",
            space={
                "lr": ("DOUBLE", [1e-4, 1.0], {"log": True}),
                "dropout": ("DOUBLE", [0.0, 0.9]),
                "width": ("INTEGER", [8, 1024], {"log": True}),
            },
            curve=late_bloomer,
            best=0.0,
            best_at={"lr": 10**-2.5, "dropout": 0.6, "width": 128},
            steps=EPOCHS,
        ),
    )
}
