"""Each new best, as it comes."""

from __future__ import annotations

from maggy.tune.monitor import Monitor
from maggy.tune.monitors.seen import Bests
from maggy.tune.trial import TrialReport


class PrintBest(Monitor):
    """Prints the keys, the metric and the report of each new best of a partition.

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self) -> None:
        self._bests = Bests()

    def initialize(self) -> None:
        self._bests = Bests()

    def on_report(self, report: TrialReport) -> None:
        if self._bests.add(report):
            print(report.trial.keys, report.metric, report)
