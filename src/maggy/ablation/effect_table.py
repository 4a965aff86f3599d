"""Effects as a table: aligned text, and HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from math import floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maggy.ablation.effects import Effect, Effects, Kind, Reference

_HEADINGS: dict[Kind, str] = {"left out": "left out", "added": "added", "interaction": "left out together"}
_RIGHT = (1, 2, 3)  # columns of numbers


def as_text(effects: Effects) -> str:
    """The whole table, in lines that a terminal or a log can show."""
    blocks = list(_blocks(effects))
    widths = [max(map(len, column)) for column in zip(*(row for block in blocks for row in block), strict=True)]
    lines = [title(effects), base_line(effects), ""]
    for block in blocks:
        for row in block:
            aligned = [
                cell.rjust(width) if at in _RIGHT else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(aligned).rstrip())
        lines.append("")
    return "\n".join([*lines, *_legend(effects), *effects.notes])


def as_html(effects: Effects) -> str:
    """The same for a notebook; names are shown as they are, whatever characters they have."""
    parts = [f"<p><b>{escape(title(effects))}</b><br>{escape(base_line(effects))}</p><table>"]
    for block in _blocks(effects):
        for number, row in enumerate(block):
            tag = "td" if number else "th"
            cells = [
                f'<{tag} style="text-align: {"right" if at in _RIGHT else "left"}">{escape(cell)}</{tag}>'
                for at, cell in enumerate(row)
            ]
            parts.append(f"<tr>{''.join(cells)}</tr>")
    remarks = "<br>".join(map(escape, (*_legend(effects), *effects.notes)))
    return "".join([*parts, f"</table><p>{remarks}</p>"])


def title(effects: Effects) -> str:
    """What the effects are effects on."""
    better = "higher" if effects.direction == "max" else "lower"
    return f"Effects on {effects.metric} ({better} is better)"


def base_line(effects: Effects) -> str:
    """How the variant did that the others are compared with, e.g. "base: 0.953 (0.941 to 0.965), 5 repeats"."""
    repeats = f"{effects.repeats} repeat{'' if effects.repeats == 1 else 's'}"
    found = effects.reference
    if found is None or found.mean is None:
        return f"{'base' if found is None else found.name}: no result, {repeats}"
    decimals = decimals_of(effects)
    return f"{found.name}: {found.mean:.{decimals}f}{_in_brackets(found, decimals)}, {repeats}"


def decimals_of(effects: Effects) -> int:
    """So many that the largest effect has four digits."""
    largest = max((abs(effect.effect) for effect in effects.values() if effect.effect), default=0.1)
    return min(max(3 - floor(log10(largest)), 0), 12)


def signed(value: float, decimals: int) -> str:
    """A difference, e.g. "+0.0120"; without a sign if it is shown as 0."""
    return f"{value:+.{decimals}f}" if round(value, decimals) else f"{0:.{decimals}f}"


def confidence_of(effects: Effects) -> str:
    """What the intervals are called, e.g. "95 % interval"."""
    return f"{100 * effects.confidence:g} % {'simultaneous ' if effects.simultaneous else ''}interval"


def has_intervals(effects: Effects) -> bool:
    """Whether there is an interval of any effect."""
    return any(effect.low is not None for effect in effects.values())


def remark(effect: Effect) -> str:
    """The verdict, and what is missing."""
    return "; ".join(filter(None, (effect.verdict, effect.note)))


def _in_brackets(found: Reference, decimals: int) -> str:
    return "" if found.low is None else f" ({found.low:.{decimals}f} to {found.high:.{decimals}f})"


def _blocks(effects: Effects) -> Iterator[list[list[str]]]:
    """The rows of each kind, below their heading."""
    decimals = decimals_of(effects)
    interval = confidence_of(effects) if has_intervals(effects) else ""
    for kind, members in groupby(effects.values(), key=lambda effect: effect.kind):
        heading = [_HEADINGS[kind] + (", in this order" if effects.in_steps else ""), "effect", interval, "pairs", ""]
        yield [heading, *(_row(effect, decimals) for effect in members)]


def _row(effect: Effect, decimals: int) -> list[str]:
    interval = ""
    if effect.low is not None and effect.high is not None:
        interval = f"{signed(effect.low, decimals)} to {signed(effect.high, decimals)}"
    mean = "-" if effect.effect is None else signed(effect.effect, decimals)
    return [effect.name, mean, interval, str(effect.pairs), remark(effect)]


def _legend(effects: Effects) -> Iterator[str]:
    kinds = {effect.kind for effect in effects.values()}
    other = "that of the step before" if effects.in_steps or effects.reference is None else effects.reference.name
    if "left out" in kinds:
        yield f"left out: {effects.metric} without it, minus {other}"
    if "added" in kinds:
        yield f"added: {effects.metric} with it alone, minus {other}"
    if "interaction" in kinds:
        yield "left out together: the effect of leaving out both, minus the effects of leaving out either"
