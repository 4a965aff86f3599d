"""The Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from operator import le


def front_of(losses: Sequence[tuple[float, ...]]) -> list[int]:
    """Places, in order, of the points that no other is as good as in every loss and better than in one.

    losses  of each point: finite, as many for each
    """
    front: list[int] = []
    for place in sorted(range(len(losses)), key=losses.__getitem__):  # whoever beats a point comes before it
        mine = losses[place]
        if not any(losses[other] != mine and all(map(le, losses[other], mine)) for other in front):
            front.append(place)
    return sorted(front)
