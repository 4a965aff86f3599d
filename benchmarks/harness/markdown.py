"""Tables in Markdown: for a terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.harness.tables import Column, Row, Table, Target, behind, best_of


def table_in_markdown(table: Table) -> str:
    """Medians over the rounds with the least and the most; where ours is beside peers, the best of both is bold."""
    titles = [f"{each.title}{f', {each.unit}' if each.unit else ''}" for each in table.columns]
    lines = [f"| | {' | '.join(titles)} |", f"|---|{'---:|' * len(titles)}"]
    for group in dict.fromkeys(row.group for row in table.rows):
        rows = [row for row in table.rows if row.group == group]
        if group:
            lines.append(f"| *{group}* |{' |' * len(titles)}")
        best = {column.key: _best(rows, column) for column in table.columns}
        for row in rows:
            cells = [_cell(row, column, best[column.key]) for column in table.columns]
            mark = " †" if row.side == "aside" else ""
            name = f"**{row.name}**" if row.side == "ours" else row.name
            lines.append(f"| {name}{mark}{f' ({_mark(table, row)})' if row.note else ''} | {' | '.join(cells)} |")
    notes = [f"{_mark(table, row)}. {row.name}: {row.note}" for row in table.rows if row.note]
    if any(row.side == "aside" for row in table.rows):
        notes.insert(0, "†. Not compared with: it keeps nothing and survives nothing.")
    return "\n".join([*lines, *(["", *(f"- {note}" for note in notes)] if notes else [])])


def targets_in_markdown(targets: Sequence[Target]) -> str:
    """One line for each, with what was measured."""
    lines = ["| target | wanted | measured | |", "|---|---:|---:|---|"]
    for each in targets:
        bounds = [(each.at_most, "at most"), (each.at_least, "at least")]
        wanted = ", ".join(f"{word} {number(value)}" for value, word in bounds if value is not None)
        unit = f" {each.unit}" if each.unit else ""
        lines.append(
            f"| {each.text} | {wanted}{unit} | {number(each.value)}{unit} | {'met' if each.met else '**missed**'} |"
        )
    return "\n".join(lines)


def unflattering(tables: Sequence[Table]) -> list[str]:
    """Targets that were missed, and figures in which a peer is ahead."""
    missed = [
        f"{table.title}: {each.text}: {number(each.value)} {each.unit}".rstrip()
        for table in tables
        for each in table.targets
        if not each.met
    ]
    return [*missed, *(f"{table.title}: {line}" for table in tables for line in behind(table))]


def number(value: float) -> str:
    """Three digits that matter, none of them in exponents."""
    value = 0.0 if abs(value) < 1e-9 else value  # what rounding leaves of a difference
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 0.001 else f"{value:.1e}"


def _cell(row: Row, column: Column, best: float | None) -> str:
    values = row.samples.get(column.key)
    if not values:
        return "-"
    middle = number(median(values))
    if row.side != "aside" and best is not None and middle == number(best):  # equal as far as is shown
        middle = f"**{middle}**"
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def _best(rows: Sequence[Row], column: Column) -> float | None:
    """The best median, where ours stands beside peers."""
    compared = [row for row in rows if row.side != "aside" and row.median(column.key) is not None]
    if column.better is None or {row.side for row in compared} != {"ours", "peer"}:
        return None
    return best_of(compared, column).median(column.key)


def _mark(table: Table, row: Row) -> int:
    """The number of a row's note."""
    return [each for each in table.rows if each.note].index(row) + 1
