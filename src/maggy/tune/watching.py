"""What a monitor sees of an experiment's event log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maggy.brain import Brain, Rules
from maggy.brain import events as ev
from maggy.journal import Record
from maggy.tracking.tracker import Tracker
from maggy.tune.dataset import TuneDataset
from maggy.tune.loggers import StudyRuns, to_logger
from maggy.tune.monitor import Monitor
from maggy.tune.monitors import to_monitors
from maggy.tune.running import Plan, report_of
from maggy.tune.studies import CANDIDATE
from maggy.tune.trial import Trial, TrialDecision, TrialReport

if TYPE_CHECKING:
    from rich.console import RenderableType


class Watching(Tracker):
    """Tells a monitor, in the words of a study, what the event log says.

    dataset  what is tried
    plan     of continuous ASHA, whose trials report rung after rung while they run; None for other studies

    Which attempt of a trial counts follows from many events, so it asks the machine that the driver runs: a second
    brain, fed from the journal.
    """

    def __init__(self, dataset: TuneDataset, monitor: Monitor, plan: Plan | None = None) -> None:
        self._dataset, self._monitor, self._plan = dataset, monitor, plan
        self._brain = Brain(Rules())
        self._params: dict[int, dict[str, Any]] = {}
        self._budget: dict[int, float] = {}
        self._reports: dict[int, TrialReport] = {}
        self._begun = False

    def see(self, record: Record) -> None:
        if not self._begun:
            self._begun = True
            self._monitor.initialize()
        event = record.event
        of_attempt = isinstance(event, ev.MetricsReported | ev.Judged | ev.TrialFinished | ev.TrialStopped)
        counts = not of_attempt or self._brain.holds(event.trial, event.attempt)  # type: ignore[union-attr]
        self._brain.handle(event, 0.0)  # no time: whatever time has brought about is an event
        if counts:
            self._tell(event)

    def refresh(self) -> None:
        self._monitor.refresh()

    def end(self) -> None:
        if self._begun:
            self._monitor.finalize()

    def view(self) -> RenderableType | None:
        return self._monitor.view()

    def line(self) -> str | None:
        return self._monitor.line()

    def _tell(self, event: ev.Event) -> None:
        match event:
            case ev.Suggested(trial=number):
                self._params[number] = event.params
                budget = event.budget if self._plan is None else self._plan[0][0]
                if budget is not None:
                    self._budget[number] = budget
                    self._monitor.on_get_budget(self._trial(number), 0, budget)
            case ev.Promoted(trial=number):
                more = event.budget - self._budget[number]
                self._budget[number] = event.budget
                self._monitor.on_judge(TrialDecision(self._reports[number], more, True, event.reason))
                self._monitor.on_get_budget(self._trial(number), event.rung or 0, more)
            case ev.MetricsReported(trial=number) if self._plan is not None:
                for step, value in zip(event.steps, event.values, strict=True):
                    cost = self._plan[step - 1][0]
                    self._note(number, TrialReport(self._trial(number), float(value), rung=step - 1, cost=cost))
            case ev.TrialFinished(trial=number) | ev.TrialStopped(trial=number) if event.outputs is not None:
                report = report_of(self._dataset, self._params[number], event.outputs)
                known = self._reports.get(number)
                if known is None or known.rung != report.rung:
                    self._note(number, report)
            case ev.Judged(trial=number) if self._plan is not None:
                self._monitor.on_judge(self._decision(self._reports[number], event))

    def _decision(self, report: TrialReport, event: ev.Judged) -> TrialDecision:
        assert self._plan is not None
        if event.stop:
            return TrialDecision(report, 0, True, event.reason)
        if report.rung == len(self._plan) - 1:
            return TrialDecision(report, 0, True, "last")
        return TrialDecision(report, self._plan[report.rung + 1][0], False)

    def _trial(self, number: int) -> Trial:
        trial: Trial = self._dataset.trials[self._params[number][CANDIDATE]]
        return trial

    def _note(self, number: int, report: TrialReport) -> None:
        self._reports[number] = report
        self._monitor.on_report(report)


def to_trackers(
    dataset: TuneDataset, monitor: Any = None, logger: Any = None, plan: Plan | None = None
) -> Sequence[Tracker]:
    """The trackers that tell monitors, and a logger, what happens."""
    trackers: list[Tracker] = [Watching(dataset, each, plan) for each in to_monitors(monitor)]
    make = to_logger(logger)
    return trackers if make is None else [*trackers, StudyRuns(dataset, make)]
