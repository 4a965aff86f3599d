"""How the metrics of all candidates are spread."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING

from maggy.tune.monitors.chart import Chart
from maggy.tune.monitors.figures import COLORS, label, new_figure
from maggy.tune.monitors.seen import Partition, named, partition_of
from maggy.tune.monitors.strip import Scale, bar
from maggy.tune.trial import TrialReport

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from rich.console import RenderableType

_BINS = 10
_BAR = 48  # columns
_TRACES = 20  # partitions that get a colour of their own; more are drawn together


class NotebookSimpleHist(Chart):
    """A histogram of what each candidate has reported last.

    Source: Fugue-Tune's class of this name.
    """

    def _clear(self) -> None:
        super()._clear()
        self._values: dict[Partition, dict[str, float]] = defaultdict(dict)

    def on_report(self, report: TrialReport) -> None:
        super().on_report(report)
        self._values[partition_of(report)][report.trial_id] = report.sort_metric

    def summary(self) -> str:
        count = sum(map(len, self._values.values()))
        return f"hist: {count} candidates; {self.best()}"

    def text(self) -> RenderableType:
        from rich.table import Table

        bins = self.bins()
        most = max((count for _, _, count in bins), default=0)
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column(self.axis, no_wrap=True, justify="right")
        table.add_column("candidates", no_wrap=True)
        for low, high, count in bins:
            table.add_row(f"{low:.4g} to {high:.4g}", f"{bar(count, most, _BAR)} {count}")
        return table

    def bins(self) -> list[tuple[float, float, int]]:
        """From, to, and how many; the last bin has all that is larger, too."""
        finite = [
            value for value in chain.from_iterable(each.values() for each in self._values.values()) if isfinite(value)
        ]
        if not finite:
            return []
        scale = Scale.of(finite)
        width = (scale.high - scale.low) / _BINS
        if width == 0.0:
            return [(scale.low, max(finite), len(finite))]
        counts = [0] * _BINS
        for value in finite:
            counts[min(_BINS - 1, int((value - scale.low) / width))] += 1
        ends = [scale.low + width * (number + 1) for number in range(_BINS - 1)] + [max(finite)]
        return [(scale.low + width * number, ends[number], count) for number, count in enumerate(counts)]

    def figure(self) -> go.Figure:
        figure = new_figure("candidates", self.best())
        groups = {named(partition): list(values.values()) for partition, values in self._values.items()}
        if len(groups) > _TRACES:
            groups = {f"{len(groups)} partitions": list(chain.from_iterable(groups.values()))}
        for number, (name, values) in enumerate(groups.items()):
            figure.add_histogram(
                name=label(name), x=list(filter(isfinite, values)), marker={"color": COLORS[number % len(COLORS)]}
            )
        figure.update_layout(barmode="stack", xaxis={"title": {"text": self.axis}})
        return figure
