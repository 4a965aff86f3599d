"""What all charts of a study have in common."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from maggy.tracking.notebook import NotebookPlace, in_notebook
from maggy.tracking.words import show_params
from maggy.tune.monitor import Monitor
from maggy.tune.monitors.seen import Bests, partition_of
from maggy.tune.stopper import to_timedelta
from maggy.tune.trial import TrialReport

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from rich.console import RenderableType

_SHARE = 10  # a drawing is followed by so many times as long without one


class Chart(Monitor):
    """A monitor that draws, on the driver: in a notebook a figure at one place, in a terminal above the progress.

    interval  the time between two drawings: a timedelta, seconds, or text such as "1sec"

    Charts show the sort metric: the metric, or its opposite where larger is better.
    """

    def __init__(self, interval: Any = "1sec") -> None:
        self._interval_s = to_timedelta(interval).total_seconds()
        self._clear()

    def _clear(self) -> None:
        self.bests = Bests()
        self._is_metric = True
        self._place: NotebookPlace | None = None
        self._drawn: tuple[RenderableType, str] | None = None
        self._due = 0.0
        self._changed = False

    @abstractmethod
    def figure(self) -> go.Figure:
        """The chart as a figure of plotly, which can be saved, e.g. with `write_html`; also after the study.

        Raises ImportError where plotly is not installed.
        """

    @abstractmethod
    def text(self) -> RenderableType:
        """The chart as rich prints it."""

    @abstractmethod
    def summary(self) -> str:
        """The chart in one line."""

    def initialize(self) -> None:
        self._clear()
        self._place = NotebookPlace() if in_notebook() else None

    def on_report(self, report: TrialReport) -> None:
        self._is_metric = self._is_metric and report.sort_metric == report.metric
        self.bests.add(report)
        self._changed = True

    def refresh(self) -> None:
        if self._changed and time.monotonic() >= self._due:
            self._draw()

    def finalize(self) -> None:
        self._draw()

    def view(self) -> RenderableType | None:
        return None if self._drawn is None else self._drawn[0]

    def line(self) -> str | None:
        return None if self._drawn is None else self._drawn[1]

    def _draw(self) -> None:
        from rich.console import Group
        from rich.text import Text

        self._changed = False
        began = time.monotonic()
        if self._place is None:
            self._drawn = self.text(), self.summary()
        else:
            self._place.show(Group(self.text(), Text(self.best())), self.figure)
        ended = time.monotonic()
        self._due = ended + max(self._interval_s, _SHARE * (ended - began))

    @property
    def axis(self) -> str:
        """What the numbers are."""
        return "metric (smaller is better)" if self._is_metric else "sort metric (smaller is better)"

    def best(self) -> str:
        """The best so far, in one line."""
        report = self.bests.best
        if report is None:
            return "no metric yet"
        params = show_params(report.params.describe())
        keys = f"{', '.join(partition_of(report))}: " if report.trial.keys else ""
        rung = f" in rung {report.rung}" if report.rung else ""
        return f"best {report.sort_metric:.6g}{rung} ({keys}{params})"
