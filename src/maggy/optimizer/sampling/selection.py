"""Which observations a model is fitted to, where there are more than it can take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maggy.optimizer.history import Observation

if TYPE_CHECKING:
    import numpy as np


def selected(observations: Sequence[Observation], most: int) -> list[Observation]:
    """At most `most` of the observations, in their order.

    These are the best quarter of `most`, the latest quarter, and of the rest as many as there is room for, evenly
    spread over time: so a model knows where it is good, where it was last, and where it is bad. With several objectives
    the best are those of the first Pareto fronts.
    """
    if len(observations) <= most:
        return list(observations)
    quarter = most // 4
    chosen = set(_best(observations, quarter))
    chosen.update(range(len(observations) - quarter, len(observations)))
    rest = [index for index in range(len(observations)) if index not in chosen]
    room = most - len(chosen)
    chosen.update(rest[step * len(rest) // room] for step in range(room))
    return [observations[index] for index in sorted(chosen)]


def _best(observations: Sequence[Observation], count: int) -> list[int]:
    """Indices of the best; failed ones are not among them."""
    import numpy as np

    good = [index for index, each in enumerate(observations) if each.loss is not None]
    losses = np.array([observations[index].losses for index in good], dtype=float)
    best: list[int] = []
    if losses.size and losses.shape[1] == 1:
        best = np.argsort(losses[:, 0], kind="stable").tolist()
    else:
        left = np.arange(len(good))
        while len(best) < min(count, len(good)):
            front = pareto_front(losses[left])
            best.extend(left[front].tolist())
            left = left[~front]
    return [good[index] for index in best[:count]]


def pareto_front(losses: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which rows no other row dominates; lower is better, and equal rows do not dominate each other."""
    import numpy as np

    left = np.arange(len(losses))
    front = np.zeros(len(losses), dtype=bool)
    while left.size:
        # The row with the smallest sum is dominated by none. Whoever it dominates, or equals, is dealt with.
        member = losses[left[np.argmin(losses[left].sum(axis=1))]]
        front[left[(losses[left] == member).all(axis=1)]] = True
        left = left[(losses[left] < member).any(axis=1)]
    return front
