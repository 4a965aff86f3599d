"""Progress while an experiment runs: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from maggy.chronicle import Tally
from maggy.journal import Record
from maggy.tracking.tracker import Tracking
from maggy.trial import TrialState

if TYPE_CHECKING:
    from rich.console import RenderableType

_REFRESH_S = 0.25
_NOTABLE = {TrialState.STOPPED: "stopped early", TrialState.FAILED: "failed", TrialState.LOST: "lost"}
_LINE_EVERY_S = 1.0


class Progress:
    """Reads the journal's feed in a thread of its own and shows where the experiment stands.

    feed    the records, as the journal's writer gives them
    others  trackers that may have something to show, too
    """

    def __init__(self, name: str, tally: Tally, feed: deque[Record], others: Sequence[Tracking] = ()) -> None:
        self._name, self._tally, self._feed, self._others = name, tally, feed, others
        self._started_at = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="maggy-progress", daemon=True)
        self._print_lock = threading.Lock()
        self._console: Any = None

    def __enter__(self) -> Progress:
        from rich.console import Console

        class QuietConsole(Console):
            def on_broken_pipe(self) -> None:
                self.quiet = True  # the original sends the program's own output to nowhere, and ends it

        self._console = QuietConsole(file=sys.stderr, highlight=False)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def say(self, line: str) -> None:
        """Print a line above the live one; from any thread."""
        with self._print_lock:
            self._console.print(line, markup=False, soft_wrap=True)

    def _show(self) -> None:
        if self._console.is_terminal:
            self._show_live()
        else:
            self._show_lines()

    def _show_live(self) -> None:
        from rich.console import Group
        from rich.live import Live

        with Live(self._view(), console=self._console, auto_refresh=False) as live:
            over = False
            while not over:
                over = self._over.wait(_REFRESH_S)
                self._read()
                views = [other.view for other in self._others if other.view is not None]
                live.update(Group(*views, self._view()), refresh=True)

    def _view(self) -> RenderableType:
        """A bar with counts, and below it the best so far; never wider than the terminal."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        tally = self._tally
        seconds = int(time.monotonic() - self._started_at)
        view = Table.grid(padding=(0, 2), expand=True)
        view.add_column(no_wrap=True, width=max(len("best"), min(len(self._name), 24)))
        view.add_column(no_wrap=True, overflow="ellipsis", ratio=1)  # takes the rest, and no more
        counts = Text(f"{', '.join(self._counts())}, {seconds // 60}:{seconds % 60:02}")
        bar = ProgressBar(total=tally.num_trials, completed=tally.ended, width=24)
        heading = Table.grid(padding=(0, 2))
        heading.add_row(bar, counts)
        view.add_row(Text(self._name, style="bold"), heading)
        if tally.best is not None:
            view.add_row(Text("best"), Text(self._best()))
        return view

    def _show_lines(self) -> None:
        last: list[str] = []
        over = False
        while not over:
            over = self._over.wait(_LINE_EVERY_S)
            self._read()
            lines = [*(other.line for other in self._others if other.line is not None), self._line()]
            for line in lines:
                if line not in last:
                    self.say(line)
            last = lines

    def _read(self) -> None:
        for _ in range(len(self._feed)):
            self._tally.add(self._feed.popleft())

    def _line(self) -> str:
        parts = self._counts()
        if self._tally.best is not None:
            parts.append(f"best {self._best()}")
        return f"{self._name}: {', '.join(parts)}"

    def _counts(self) -> list[str]:
        tally = self._tally
        counts = [f"{tally.ended} of {tally.num_trials} trials", f"{tally.running} running"]
        return counts + [f"{tally.states[state]} {words}" for state, words in _NOTABLE.items() if tally.states[state]]

    def _best(self) -> str:
        return f"{self._tally.best:.6g} (trial {self._tally.best_trial}: {show_params(self._tally.best_params)})"


def show_params(params: dict[str, Any]) -> str:
    """A configuration on one line, floats with four digits."""
    shown = (f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items())
    return " ".join(shown)
