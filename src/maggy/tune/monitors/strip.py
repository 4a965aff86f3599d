"""Numbers as marks on a line of text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement

_LEAST, _MOST = 12, 72  # columns
_USUAL = 0.9  # share of the values that the scale is made for: one that has diverged would press the others together
_FAR = 4  # times as far as the others
_MARKS = "·•●"  # one, two or three, more


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to columns; the lowest is on the left, and what is beyond the scale is on the right.

    low, high  of the best nine tenths
    top        of all
    """

    low: float
    high: float
    top: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale:
        """The scale of these."""
        finite = sorted(filter(isfinite, values))
        if not finite:
            return cls(0.0, 1.0, 1.0)
        return cls(finite[0], finite[ceil(_USUAL * len(finite)) - 1], finite[-1])

    def limits(self) -> tuple[float, float] | None:
        """Of an axis, where a few values would take most of it; None for all of them."""
        span = self.high - self.low
        if span <= 0 or self.top - self.low <= _FAR * span:
            return None
        return self.low - 0.1 * span, self.high + 0.5 * span

    def column(self, value: float, width: int) -> int:
        """The column of a finite value, from 0."""
        if self.high <= self.low:
            return 0 if value <= self.low else width - 1
        return min(width - 1, int((value - self.low) / (self.high - self.low) * (width - 1) + 0.5))


class Strip:
    """Draws values by their ids; those that are lit stand out."""

    def __init__(self, values: Mapping[str, float], lit: Collection[str], scale: Scale) -> None:
        self._values, self._lit, self._scale = values, lit, scale

    def cells(self, width: int) -> Iterator[tuple[str, bool]]:
        """The mark of each column, and whether it is lit."""
        counts, lit = [0] * width, [False] * width
        for name, value in self._values.items():
            if isfinite(value):
                column = self._scale.column(value, width)
                counts[column] += 1
                lit[column] = lit[column] or name in self._lit
        for count, is_lit in zip(counts, lit, strict=True):
            yield (" " if count == 0 else _MARKS[0] if count == 1 else _MARKS[1] if count <= 3 else _MARKS[2]), is_lit

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        text = Text(no_wrap=True)
        for mark, is_lit in self.cells(max(1, min(_MOST, options.max_width))):
            text.append(mark, style="bold green" if is_lit else "dim")
        yield text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement(_LEAST, _MOST).with_maximum(options.max_width)


def bar(count: int, most: int, width: int) -> str:
    """A count as a bar, which is at least one column long where there is anything."""
    return "█" * (max(1, round(width * count / most)) if count else 0)
