"""What a monitor sees of an experiment's event log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maggy.brain import events as ev
from maggy.journal import Record
from maggy.tracking.tracker import Tracker
from maggy.tune.dataset import TuneDataset
from maggy.tune.monitor import Monitor, to_monitors
from maggy.tune.running import report_of
from maggy.tune.studies import CANDIDATE
from maggy.tune.trial import TrialDecision, TrialReport


class Watching(Tracker):
    """Tells a monitor, in the words of a study, what the event log says.

    dataset  what is tried
    """

    def __init__(self, dataset: TuneDataset, monitor: Monitor) -> None:
        self._dataset, self._monitor = dataset, monitor
        self._params: dict[int, dict[str, Any]] = {}
        self._rung: dict[int, int] = {}
        self._reports: dict[int, TrialReport] = {}
        self._begun = False

    def see(self, record: Record) -> None:
        if not self._begun:
            self._begun = True
            self._monitor.initialize()
        match record.event:
            case ev.Suggested() as event:
                self._params[event.trial] = event.params
                self._begins(event.trial, 0, event.budget)
            case ev.Promoted() as event:
                self._begins(event.trial, event.rung or 0, event.budget)
            case ev.MetricsReported() as event:  # of a trial that runs rung after rung
                for step, value in zip(event.steps, event.values, strict=True):
                    self._note(event.trial, TrialReport(self._trial(event.trial), float(value), rung=step - 1))
            case ev.TrialFinished() | ev.TrialStopped() as event if event.outputs is not None:
                report = report_of(self._dataset, self._params[event.trial], event.outputs)
                known = self._reports.get(event.trial)
                if known is None or known.rung != report.rung:
                    self._note(event.trial, report)
            case ev.Judged() as event if event.stop and event.trial in self._reports:
                self._monitor.on_judge(TrialDecision(self._reports[event.trial], 0, True, event.reason))

    def refresh(self) -> None:
        self._monitor.refresh()

    def end(self) -> None:
        if self._begun:
            self._monitor.finalize()

    def _begins(self, number: int, rung: int, budget: float | None) -> None:
        self._rung[number] = rung
        if budget is not None:
            self._monitor.on_get_budget(self._trial(number), rung, budget)

    def _trial(self, number: int) -> Any:
        return self._dataset.trials[self._params[number][CANDIDATE]]

    def _note(self, number: int, report: TrialReport) -> None:
        self._reports[number] = report
        self._monitor.on_report(report)


def to_trackers(dataset: TuneDataset, monitor: Any = None, logger: Any = None) -> Sequence[Tracker]:
    """The trackers that tell monitors, and a logger, what happens."""
    return [Watching(dataset, each) for each in to_monitors(monitor)]
