"""Charts of a study while it runs, in a notebook and in a terminal."""

from maggy.tune.monitors.chart import Chart
from maggy.tune.monitors.hist import NotebookSimpleHist
from maggy.tune.monitors.names import to_monitors
from maggy.tune.monitors.rungs import NotebookSimpleRungs
from maggy.tune.monitors.series import NotebookSimpleTimeSeries
from maggy.tune.monitors.text import PrintBest

__all__ = [
    "Chart",
    "NotebookSimpleHist",
    "NotebookSimpleRungs",
    "NotebookSimpleTimeSeries",
    "PrintBest",
    "to_monitors",
]
