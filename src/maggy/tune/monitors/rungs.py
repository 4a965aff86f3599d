"""Rung after rung: how the candidates become fewer, and better."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from maggy.tune.monitors.chart import Chart
from maggy.tune.monitors.figures import COLORS, label, new_figure
from maggy.tune.monitors.seen import Ladder, Partition, Rung, named, partition_of
from maggy.tune.monitors.strip import Scale, Strip, bar
from maggy.tune.trial import Trial, TrialDecision, TrialReport

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from rich.console import RenderableType

_BAR = 16  # columns
_BLOCKS = 4  # partitions that get rows of their own in a terminal; more are drawn together
_TRACES = 20  # the same for colours in a figure


class NotebookSimpleRungs(Chart):
    """A line for each candidate from rung to rung, so that one sees the candidates halve.

    In a terminal: a row for each rung, with how many have reported in it, and their metrics as marks, the best on the
    left; those of candidates that went on are green.

    Source: Fugue-Tune's class of this name.
    """

    def _clear(self) -> None:
        super()._clear()
        self.ladder = Ladder()

    def on_get_budget(self, trial: Trial, rung: int, budget: float) -> None:
        self._begins(trial, rung)

    def on_judge(self, decision: TrialDecision) -> None:
        if not decision.should_stop:
            self._begins(decision.trial, decision.report.rung + 1)

    def on_report(self, report: TrialReport) -> None:
        super().on_report(report)
        self.ladder.reports(partition_of(report), report.rung, report.trial_id, report.sort_metric)

    def _begins(self, trial: Trial, rung: int) -> None:
        self.ladder.begins(tuple(map(str, trial.keys)), rung, trial.trial_id)
        self._changed = True

    def summary(self) -> str:
        counts = [str(len(rung.values)) for rung in self.ladder.rungs(self.ladder.partitions)]
        return f"rungs: {' > '.join(counts) or 'none'} candidates; {self.best()}"

    def text(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), expand=True, pad_edge=False, header_style="dim")
        table.add_column("rung", no_wrap=True)
        table.add_column("candidates", no_wrap=True)
        for name in ("best", "median"):
            table.add_column(name, no_wrap=True, justify="right")
        table.add_column(f"each, {self.axis}", no_wrap=True, ratio=1)
        for heading, partitions in self._blocks():
            rungs = self.ladder.rungs(partitions)
            if heading:
                table.add_row(Text(heading, style="bold", overflow="ellipsis"))
            most = max((rung.began for rung in rungs), default=0)
            scale = Scale.of(chain.from_iterable(rung.values.values() for rung in rungs))
            for rung in rungs:
                table.add_row(
                    str(rung.number),
                    f"{bar(len(rung.values), most, _BAR):{_BAR}} {_count(rung)}",
                    *(f"{value:.4g}" if rung.values else "" for value in (rung.best, rung.median)),
                    Strip(rung.values, rung.went_on, scale),
                )
        return table

    def figure(self) -> go.Figure:
        figure = new_figure(self.axis, self.best())
        together = len(self.ladder.partitions) > _TRACES
        for number, (name, partitions) in enumerate(self._groups(together)):
            lines = list(_joined(path for partition in partitions for path in self.ladder.paths(partition)))
            figure.add_scatter(
                name=label(name),
                x=[x for x, _ in lines],
                y=[y for _, y in lines],
                mode="lines+markers",
                line={"color": COLORS[number % len(COLORS)], "width": 1},
                opacity=0.7,
            )
        rungs = self.ladder.rungs(self.ladder.partitions)
        figure.update_yaxes(range=Scale.of(chain.from_iterable(rung.values.values() for rung in rungs)).limits())
        figure.update_xaxes(
            title="rung, and how many have reported in it",
            tickvals=[rung.number for rung in rungs],
            ticktext=[f"{rung.number}<br>{_count(rung)}" for rung in rungs],
        )
        return figure

    def _blocks(self) -> Iterable[tuple[str, list[Partition]]]:
        partitions = list(self.ladder.partitions)
        if len(partitions) <= 1:
            return [("", partitions)]
        if len(partitions) <= _BLOCKS:
            return [(named(partition), [partition]) for partition in partitions]
        return [(f"{len(partitions)} partitions", partitions)]

    def _groups(self, together: bool) -> Iterable[tuple[str, list[Partition]]]:
        partitions = list(self.ladder.partitions)
        if together:
            return [(f"{len(partitions)} partitions", partitions)]
        return [(named(partition), [partition]) for partition in partitions]


def _count(rung: Rung) -> str:
    done = len(rung.values)
    return str(done) if done == rung.began else f"{done} of {rung.began}"


def _joined(paths: Iterable[list[tuple[int, float]]]) -> Iterable[tuple[Any, Any]]:
    """Paths as one line, with a gap after each."""
    for path in paths:
        yield from path
        yield None, None
