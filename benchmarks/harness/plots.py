"""Tables and curves as pictures for the page."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.tables import Lines, Table

OURS, PEER, ASIDE = "#1f77b4", "#8c8c8c", "#d0d0d0"


def draw(table: Table, folder: Path) -> list[tuple[str, str]]:
    """Draw what the table asks for. Returns the name of each file in the folder, and what it shows."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    if any(column.plot for column in table.columns):
        name = f"bench-{table.name}.png"
        _bars(table, folder / name)
        drawn.append((name, table.title))
    for lines in table.lines:
        name = f"bench-{table.name}-{lines.name}.png"
        _lines(lines, folder / name)
        drawn.append((name, lines.title))
    return drawn


def _bars(table: Table, path: Path) -> None:
    from matplotlib.figure import Figure

    columns = [column for column in table.columns if column.plot]
    figure = Figure(figsize=(4.2 * len(columns) + 1.5, 0.26 * len(table.rows) + 1.4), layout="constrained")
    for place, column in enumerate(columns):
        axes = figure.add_subplot(1, len(columns), place + 1)
        rows = list(reversed(table.rows))
        values = [row.median(column.key) for row in rows]
        colours = [{"ours": OURS, "peer": PEER, "aside": ASIDE}[row.side] for row in rows]
        axes.barh([row.name for row in rows], [value or 0.0 for value in values], color=colours)
        shown = [value for value in values if value]
        if shown and min(shown) > 0 and max(shown) / min(shown) > 30:
            axes.set_xscale("log")
        arrow = {"less": "less is better", "more": "more is better", None: ""}[column.better]
        axes.set_title(f"{column.title}{f', {column.unit}' if column.unit else ''}\n{arrow}", fontsize=9)
        axes.tick_params(labelsize=8)
        if place:
            axes.set_yticklabels([])
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _lines(lines: Lines, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for name, (x, y) in lines.curves.items():
        axes.plot(x, y, label=name, linewidth=1.6)
    axes.set_xlabel(lines.x)
    axes.set_ylabel(lines.y)
    axes.set_title(lines.title, fontsize=10)
    if lines.log_x:
        axes.set_xscale("log")
    if lines.log_y:
        axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
