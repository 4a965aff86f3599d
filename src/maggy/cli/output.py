"""How results are printed: a table where somebody looks, plain lines for programs, or JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maggy.result import Result


def print_json(value: Any) -> None:
    """One JSON document, which every reader understands: NaN and infinity are null there."""
    print(json.dumps(plain(value), indent=2, default=str))


def finished(run: Callable[[], Result], *, as_json: bool) -> int:
    """Run an experiment, print its result as JSON if asked to, and return the exit status.

    Meanwhile, what the user's own code prints here goes to stderr, where stdout is for JSON; also what programs print
    that it starts.
    """
    with _stdout_to_stderr() if as_json else nullcontext():
        result = run()
    if as_json:
        print_json({**result, "experiment_dir": result.experiment_dir, "interrupted": result.interrupted})
    if result.interrupted:
        return 130
    return 2 if result.best is None else 0


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    with redirect_stdout(sys.stderr):
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


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
        table.add_column(column, overflow="fold", no_wrap=column != columns[-1])
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def show(value: object) -> str:
    """A value in a cell: numbers with six digits, a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def date(t: float | None) -> str | None:
    """A time, in seconds since 1970, where the user is."""
    return None if t is None else f"{datetime.fromtimestamp(t):%Y-%m-%d %H:%M:%S}"


def day(t: float | None) -> str | None:
    """The same in short: without the year if it is this one."""
    if t is None:
        return None
    then = datetime.fromtimestamp(t)
    return f"{then:%m-%d %H:%M}" if then.year == datetime.now().year else f"{then:%Y-%m-%d}"


def time_span(seconds: float | None) -> str | None:
    """How long something took: 0.42 s, 1:05 min, 2:03:04 h."""
    if seconds is None:
        return None
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """A curve in one line of text; each letter is the mean of as many values as it takes. NaN is a gap."""
    step = max(1, -(-len(values) // width))
    means = []
    for start in range(0, len(values), step):
        part = [value for value in values[start : start + step] if isfinite(value)]
        means.append(sum(part) / len(part) if part else None)
    known = [mean for mean in means if mean is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if mean is None else _BARS[round((mean - low) * scale)] for mean in means)


_BARS = "▁▂▃▄▅▆▇█"


def print_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and what goes with them, in two columns; a name that is said again is left out, and so is a pair that has
    nothing to say. ("", "") is an empty line."""
    pairs = [(name, value) for name, value in pairs if (name, value) == ("", "") or value not in (None, "")]
    width = max((len(name) for name, _ in pairs), default=0)
    last = None
    for name, value in pairs:
        print(f"{'' if name == last else name:{width}}  {show(value)}".rstrip())
        last = name
