"""So many marks as a page can draw, and a reader can tell apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def thinned(count: int, most: int, keep: Collection[int] = ()) -> list[int]:
    """Which of `count` things are drawn: all of them, or `most` that are evenly spread.

    keep  places that have to be among them; at most `most`, the first ones count

    Returns their places in order.
    """
    if count <= most:
        return list(range(count))
    kept = set(list(keep)[:most])
    room = most - len(kept)
    others = [place for place in range(count) if place not in kept]
    step = len(others) / room if room else 0.0
    return sorted(kept | {others[int(number * step)] for number in range(room)})


def share(drawn: int, count: int, what: str = "trials") -> str:
    """What a figure says when it does not draw everything; "" if it does."""
    return "" if drawn == count else f"{drawn:,} of {count:,} {what} shown"


def extremes(values: Sequence[float]) -> list[int]:
    """The places of the smallest and of the largest value."""
    if not values:
        return []
    places = range(len(values))
    return [min(places, key=values.__getitem__), max(places, key=values.__getitem__)]
