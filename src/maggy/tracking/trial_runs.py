"""Each trial as a run of a tracking service."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import Any

from maggy.brain import Brain, Rules
from maggy.brain import events as ev
from maggy.brain.commands import Ending, Settle
from maggy.journal import Record
from maggy.tracking.metric_logger import CURVE, MetricLogger
from maggy.tracking.tracker import Tracker

_FLUSH_S = 2.0


class TrialRuns(Tracker):
    """Writes down a run for the experiment, and within it one for each trial.

    make     makes the logger of the experiment; called when the experiment begins
    curve    what the numbers are called that trials report
    written  how many records were written down before; they are not again

    Which attempt of a trial counts follows from many events, so it asks the machine that the driver runs: a second
    brain, fed from the journal.
    """

    def __init__(self, make: Callable[[], MetricLogger], *, curve: str = CURVE, written: int = 0) -> None:
        self._make, self._curve, self._written = make, curve, written
        self._brain = Brain(Rules())
        self._logger: MetricLogger | None = None
        self._params: dict[int, dict[str, Any]] = {}  # of trials that have not ended
        self._runs: dict[int, MetricLogger] = {}  # that are open
        self._flushed_at = monotonic()

    @abstractmethod
    def about(self, trial: int, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name of a trial's run, and the hyperparameters to write down."""

    @abstractmethod
    def ended(self, run: MetricLogger, trial: int, event: ev.TrialFinished | ev.TrialStopped) -> None:
        """A trial has a result, which is to be written down."""

    def learn(self, record: Record) -> None:
        """Something has happened, written down before or not."""

    def settled(self, logger: MetricLogger, run: MetricLogger, settle: Settle) -> None:
        """A trial has come to its end, with a result or without: the last chance to write something down about it."""

    def concluded(self, logger: MetricLogger, ending: Ending | None) -> None:
        """The experiment is over: the last chance to write something down about all of it.

        ending  None: nobody has said that it is
        """

    def see(self, record: Record) -> None:
        self._root(record.t)
        event, known = record.event, record.n < self._written
        self.learn(record)
        if isinstance(event, ev.Suggested):
            self._params[event.trial] = event.params
        run: MetricLogger | None = None
        if not known and isinstance(event, ev.MetricsReported | ev.TrialFinished | ev.TrialStopped):
            if self._brain.holds(event.trial, event.attempt):  # a report of any other attempt changes nothing
                run = self._run(event.trial, record.t)
        commands = self._brain.handle(event, 0.0)  # no time: whatever time has brought about is an event
        if isinstance(event, ev.Promoted):
            self._params[event.trial] = self._brain.live[event.trial].params
        match event:
            case ev.Suggested(trial=trial) | ev.Promoted(trial=trial) if not known:
                self._run(trial, record.t)
            case ev.MetricsReported() if run is not None:
                run.log_curve(self._curve, event.steps, [float(value) for value in event.values])
            case ev.TrialFinished(trial=trial) | ev.TrialStopped(trial=trial) if run is not None:
                self.ended(run, trial, event)
        for command in commands:
            if isinstance(command, Settle):
                if not known:
                    self._settle(command, record.t)
                self._params.pop(command.trial, None)

    def refresh(self) -> None:
        if monotonic() - self._flushed_at > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Send what was written down so far."""
        for run in [*self._runs.values(), *([] if self._logger is None else [self._logger])]:
            run.flush()
        self._flushed_at = monotonic()

    def end(self) -> None:
        ending = self._brain.ending
        for run in self._runs.values():
            run.interrupt()
        if self._logger is None:
            return
        self.concluded(self._logger, ending)
        if ending is Ending.COMPLETE:
            self._logger.finish()
        elif ending is Ending.HOPELESS or ending is Ending.SHORTHANDED:
            self._logger.finish(failed=True)
        else:
            self._logger.interrupt()

    def _run(self, trial: int, t: float) -> MetricLogger:
        """The run of a trial; begun, or gone on with, where it is not open."""
        run = self._runs.get(trial)
        if run is None:
            name, params = self.about(trial, self._params[trial])
            logger = self._root(t)
            run = self._runs[trial] = logger.create_trial(trial, name)
            run.at = t
            run.log_params(params)
        run.at = t
        return run

    def _root(self, t: float) -> MetricLogger:
        if self._logger is None:
            self._logger = self._make()
            if self._logger.is_new:
                self._written = 0
        self._logger.at = t
        return self._logger

    def _settle(self, settle: Settle, t: float) -> None:
        run = self._run(settle.trial, t)
        self.settled(self._root(t), run, settle)
        del self._runs[settle.trial]
        run.finish(failed=not settle.state.has_result)
