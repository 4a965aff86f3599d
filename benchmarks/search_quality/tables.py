"""Tables of real learning curves, and what a configuration that was not recorded would have shown.

    table = load("digits_mlp")
    table.curve({"lr": 0.1, ...})   # 81 numbers, the validation metric after each epoch

Between the recorded configurations a curve is the weighted mean of the three nearest in the unit cube, where a
different category is as far as one end of a range from the other. The weight `(1/d - 1/d4)^2`, with d4 the distance of
the fourth nearest, makes it a continuous function of the configuration that passes through what was recorded
(Franke and Little's form of Shepard's interpolation).
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from benchmarks.search_quality.space import Params, Space, place_of

CURVES = Path(__file__).parent / "curves"
NAMES = ("digits_mlp", "teacher_mlp", "noisy_linear", "boosting")
NEAREST = 3


@dataclass(frozen=True, eq=False)
class Table:
    """What was recorded.

    name, description, metric  of the training task
    space              what was searched, in the seeds' form
    direction          of the metric, "max" or "min"
    configs            the n configurations that were trained
    curves             (n, epochs) validation metric after each epoch
    test               (n, epochs) the same on test data; no search is shown it
    seconds_per_epoch  (n,) processor time on one core
    """

    name: str
    description: str
    metric: str
    space: Space
    direction: str
    configs: list[Params]
    curves: np.ndarray
    test: np.ndarray
    seconds_per_epoch: np.ndarray

    @property
    def epochs(self) -> int:
        return int(self.curves.shape[1])

    @property
    def best(self) -> float:
        """The best validation metric after the last epoch. No mean of curves is better."""
        return float(self.curves[:, -1].max() if self.direction == "max" else self.curves[:, -1].min())

    def curve(self, params: Params) -> list[float]:
        """The validation metric after each epoch."""
        rows, weights = self.nearest(params)
        return (weights @ self.curves[rows]).tolist()  # type: ignore[no-any-return]

    def test_curve(self, params: Params) -> list[float]:
        """The test metric after each epoch."""
        rows, weights = self.nearest(params)
        return (weights @ self.test[rows]).tolist()  # type: ignore[no-any-return]

    def seconds(self, params: Params) -> float:
        """What an epoch takes."""
        rows, weights = self.nearest(params)
        return float(weights @ self.seconds_per_epoch[rows])

    def nearest(self, params: Params, leave_out: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The rows whose mean stands for a configuration, and their weights; `leave_out` hides a row."""
        squares = ((self._points - self._point(params)) ** 2).sum(1)
        if leave_out is not None:
            squares[leave_out] = np.inf
        rows = np.argpartition(squares, NEAREST)[: NEAREST + 1]
        rows = rows[np.argsort(squares[rows])]
        distances = np.sqrt(squares[rows])
        if distances[0] == 0:
            return rows[:1], np.ones(1)
        if distances[0] == distances[-1]:
            return rows[:NEAREST], np.full(NEAREST, 1 / NEAREST)
        weights = (1 / distances[:NEAREST] - 1 / distances[NEAREST]) ** 2
        return rows[:NEAREST], weights / weights.sum()

    def _point(self, params: Params) -> np.ndarray:
        point: list[float] = []
        for name, spec in self.space.items():
            if spec[0] == "CATEGORICAL":  # two different ones are at a distance of 1
                point += [0.5**0.5 * (params[name] == value) for value in spec[1]]
            else:
                point.append(place_of(spec, params[name]))
        return np.array(point)

    @cached_property
    def _points(self) -> np.ndarray:
        return np.array([self._point(params) for params in self.configs])


@cache
def load(name: str) -> Table:
    """The table of that name.

    Raises FileNotFoundError, with what there is, for a name that was not recorded.
    """
    path = CURVES / f"{name}.jsonl.gz"
    if not path.exists():
        raise FileNotFoundError(f"no table {name!r}; recorded: {', '.join(NAMES)}; record.py makes them")
    with gzip.open(path, "rt") as file:
        head, *rows = map(json.loads, file)
    return Table(
        name=head["name"],
        description=head["description"],
        metric=head["metric"],
        space={key: tuple(spec) for key, spec in head["space"].items()},
        direction=head["direction"],
        configs=[row["params"] for row in rows],
        curves=np.array([row["validation"] for row in rows]),
        test=np.array([row["test"] for row in rows]),
        seconds_per_epoch=np.array([row["seconds_per_epoch"] for row in rows]),
    )
