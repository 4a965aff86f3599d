"""Each trial as a run of a tracking service."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from maggy.brain import Brain, Rules
from maggy.brain import events as ev
from maggy.journal import Record
from maggy.tracking.metric_logger import CURVE, MetricLogger
from maggy.tracking.tracker import Tracker


class TrialRuns(Tracker):
    """Writes down a run for the experiment, and within it one for each trial.

    make  makes the logger of the experiment; called when the experiment begins

    Which attempt of a trial counts follows from many events, so it asks the machine that the driver runs: a second
    brain, fed from the journal.
    """

    def __init__(self, make: Callable[[], MetricLogger]) -> None:
        self._make = make
        self._brain = Brain(Rules())
        self._logger: MetricLogger | None = None
        self._runs: dict[int, MetricLogger] = {}  # that are open

    @abstractmethod
    def about(self, trial: int, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name of a trial's run, and the hyperparameters to write down."""

    @abstractmethod
    def ended(self, run: MetricLogger, trial: int, event: ev.TrialFinished | ev.TrialStopped) -> None:
        """A trial has a result, which is to be written down."""

    def concluded(self, logger: MetricLogger) -> None:
        """The experiment is over: the last chance to write something down about all of it."""

    def see(self, record: Record) -> None:
        if self._logger is None:
            self._logger = self._make()
        event = record.event
        of_attempt = isinstance(event, ev.MetricsReported | ev.TrialFinished | ev.TrialStopped)
        counts = not of_attempt or self._brain.holds(event.trial, event.attempt)  # type: ignore[union-attr]
        self._brain.handle(event, 0.0)  # no time: whatever time has brought about is an event
        match event:
            case ev.Suggested(trial=trial):
                name, params = self.about(trial, event.params)
                run = self._runs[trial] = self._logger.create_child(name)
                run.log_params(params)
            case ev.MetricsReported(trial=trial) if counts:
                for step, value in zip(event.steps, event.values, strict=True):
                    self._runs[trial].log_metric(CURVE, float(value), step)
            case ev.TrialFinished(trial=trial) | ev.TrialStopped(trial=trial) if counts:
                self.ended(self._runs[trial], trial, event)
                if trial not in self._brain.live:  # else it may be promoted
                    self._runs.pop(trial).finish()
        for trial in [trial for trial in self._runs if trial not in self._brain.live]:
            self._runs.pop(trial).finish(failed=True)

    def end(self) -> None:
        if self._logger is None:
            return
        for run in self._runs.values():
            run.finish()
        self.concluded(self._logger)
        self._logger.finish()
