"""How results are printed: a table where somebody looks, plain lines for programs, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from math import isfinite
from typing import Any


def print_json(value: Any) -> None:
    """One JSON document, which every reader understands: NaN and infinity are null there."""
    print(json.dumps(plain(value), indent=2, default=str))


@contextmanager
def others_on_stderr(only_json: bool) -> Iterator[None]:
    """Have what the user's own code prints here meanwhile go to stderr, where stdout is for JSON."""
    with redirect_stdout(sys.stderr) if only_json else nullcontext():
        yield


def print_json_line(value: Any) -> None:
    """The same on one line, at once: there will be others."""
    print(json.dumps(plain(value), default=str), flush=True)


def plain(value: Any) -> Any:
    """A value without numbers that JSON does not know."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; in a pipe, lines whose columns are aligned by spaces."""
    cells = [[show(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(columns, cells)
        return
    lines = [[column.upper() for column in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def show(value: object) -> str:
    """A value in a cell: numbers with six digits, a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
