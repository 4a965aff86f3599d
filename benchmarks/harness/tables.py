"""What a benchmark has found: tables with one value for each round, and curves."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that each row may have.

    better  which end is the good one; None where neither is
    plot    whether the page shows it as bars
    """

    key: str
    title: str
    unit: str = ""
    better: Literal["less", "more"] | None = None
    plot: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A contestant, or a setting.

    side     "aside": shown and not compared with, such as a bare process pool, which keeps nothing
    group    rows are compared with those of their own group: what runs on the same thing
    samples  by column, one value for each round; a column that is missing was not measured, and the note says why
    """

    name: str
    side: Literal["ours", "peer", "aside"]
    group: str = ""
    samples: dict[str, list[float]]
    note: str = ""

    def median(self, key: str) -> float | None:
        """The median over the rounds; None where nothing was measured."""
        values = self.samples.get(key)
        return median(values) if values else None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure has to keep to."""

    text: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool:
        """Whether it does."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """A plot of curves: for each name its places along x, and its values there."""

    name: str
    title: str
    x: str
    y: str
    curves: dict[str, tuple[list[float], list[float]]]
    log_x: bool = False
    log_y: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the page.

    name     a word for the names of files; of all tables no two have the same
    text     what is measured and how, in Markdown
    caveats  what to know before it is quoted, each one sentence or two
    """

    name: str
    title: str
    text: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    targets: Sequence[Target] = ()
    lines: Sequence[Lines] = ()
    caveats: Sequence[str] = ()


def behind(table: Table) -> list[str]:
    """Where a peer is ahead of everything of ours in its group, by medians, or ours there has no figure at all."""
    found = []
    for column in table.columns:
        if column.better is None:
            continue
        for group in dict.fromkeys(row.group for row in table.rows):
            rows = [row for row in table.rows if row.group == group]
            standing = [row for row in rows if row.side == "ours"]
            ours = [row for row in standing if row.median(column.key) is not None]
            peers = [row for row in rows if row.side == "peer" and row.median(column.key) is not None]
            if not standing or not peers:
                continue
            rival = best_of(peers, column)
            if not ours:  # it has failed there, or was not measured
                found.append(f"{column.title}: {rival.name} has a figure, {standing[0].name} has none")
            elif best_of([best := best_of(ours, column), rival], column) is not best:
                found.append(f"{column.title}: {rival.name} is ahead of {best.name}")
    return found


def best_of(rows: Sequence[Row], column: Column) -> Row:
    """The row with the best median in a column that each of them has; of equals the first."""

    def badness(row: Row) -> float:
        value = row.median(column.key)
        assert value is not None
        return value if column.better == "less" else -value

    return min(rows, key=badness)
