"""Who is better than whom: the Pareto front, and places among very many."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import le

_CHUNK = 4096


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


class Ranking:
    """Losses with the number of whose each is, in ascending order; of equal losses the smaller number comes first.

    They lie in chunks: to add one to a million costs no more than to add it to a few thousand. Each takes 16 bytes.
    """

    def __init__(self) -> None:
        self._losses, self._numbers = [array("d")], [array("q")]
        self._bounds: list[tuple[float, int]] = []  # with what each chunk but the first begins
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> tuple[float, int]:
        for losses, numbers in zip(self._losses, self._numbers, strict=True):
            if place < len(losses):
                return losses[place], numbers[place]
            place -= len(losses)
        raise IndexError(place)

    def add(self, loss: float, number: int) -> None:
        """Add one."""
        chunk = bisect_right(self._bounds, (loss, number))
        losses, numbers = self._losses[chunk], self._numbers[chunk]
        at = self._within(chunk, loss, number)
        losses.insert(at, loss)
        numbers.insert(at, number)
        self._count += 1
        if len(losses) == 2 * _CHUNK:
            self._losses.insert(chunk + 1, losses[_CHUNK:])
            self._numbers.insert(chunk + 1, numbers[_CHUNK:])
            self._bounds.insert(chunk, (losses[_CHUNK], numbers[_CHUNK]))
            del losses[_CHUNK:], numbers[_CHUNK:]

    def place(self, loss: float, number: int = -1) -> int:
        """How many come before it; without a number, how many losses are smaller."""
        chunk = bisect_left(self._bounds, (loss, number))
        return sum(map(len, self._losses[:chunk])) + self._within(chunk, loss, number)

    def pop(self) -> tuple[float, int]:
        """Take the first one out."""
        first = self._losses[0].pop(0), self._numbers[0].pop(0)
        self._count -= 1
        if self._bounds and not self._losses[0]:
            del self._losses[0], self._numbers[0], self._bounds[0]
        return first

    def _within(self, chunk: int, loss: float, number: int) -> int:
        losses = self._losses[chunk]
        low = bisect_left(losses, loss)
        if low == len(losses) or losses[low] != loss:
            return low
        return bisect_left(self._numbers[chunk], number, low, bisect_right(losses, loss, low))
