"""How the best has become better, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maggy.tracking.words import spark
from maggy.tune.monitors.chart import Chart
from maggy.tune.monitors.figures import COLORS, label, new_figure
from maggy.tune.monitors.seen import Partition, named
from maggy.tune.trial import TrialReport

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from rich.console import RenderableType

_ROWS = 4  # partitions that are shown in a terminal, those that have improved last
_LINES = 50  # the same in a figure
_SPARK = 40  # columns


class NotebookSimpleTimeSeries(Chart):
    """The best metric so far over time, a line for each partition.

    Source: Fugue-Tune's class of this name.
    """

    def summary(self) -> str:
        improved = sum(map(len, self.bests.courses.values()))
        return f"ts: {improved} times a new best; {self.best()}"

    def text(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for name in ("partition", "best so far", "first", "now", "new bests"):
            table.add_column(name, no_wrap=True)
        courses = self._newest(_ROWS)
        for partition, course in courses.items():
            values = [report.sort_metric for report in course]
            shown = f"{values[0]:.4g}", f"{values[-1]:.4g}", str(len(values))
            table.add_row(Text(named(partition)), spark(values, _SPARK), *shown)
        if len(courses) < len(self.bests.courses):
            table.caption = f"of {len(self.bests.courses)} partitions, those that have improved last"
            table.caption_justify = "left"
        return table

    def figure(self) -> go.Figure:
        figure = new_figure(f"best {self.axis}", self.best())
        for number, (partition, course) in enumerate(self._newest(_LINES).items()):
            figure.add_scatter(
                name=label(named(partition)),
                x=[report.log_time for report in course],
                y=[report.sort_metric for report in course],
                mode="lines+markers",
                line={"color": COLORS[number % len(COLORS)], "shape": "hv"},
            )
        figure.update_xaxes(title="time")
        return figure

    def _newest(self, most: int) -> dict[Partition, list[TrialReport]]:
        """The courses of the partitions that have improved last."""
        courses = self.bests.courses
        newest = set(sorted(courses, key=lambda partition: courses[partition][-1].log_time)[-most:])
        return {partition: course for partition, course in courses.items() if partition in newest}
