"""Each trial as a run of a tracking service."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import Any

from maggy.brain import events as ev
from maggy.brain.commands import Ending, Settle
from maggy.chronicle import About, Chronicle
from maggy.journal import Record
from maggy.tracking.metric_logger import CURVE, MetricLogger
from maggy.tracking.tracker import Tracker
from maggy.trial import Trial

_FLUSH_S = 2.0


class TrialRuns(Tracker):
    """Writes down a run for the experiment, and within it one for each trial.

    make     makes the logger of the experiment; called when the experiment begins
    curve    what the numbers are called that trials report
    written  how many records were written down by an earlier driver; they are not again
    """

    def __init__(self, make: Callable[[], MetricLogger], *, curve: str = CURVE, written: int = 0) -> None:
        self._make, self._curve, self._written = make, curve, written
        self._logger: MetricLogger | None = None
        self._runs: dict[int, MetricLogger] = {}  # that are open
        self._flushed_at = monotonic()

    @abstractmethod
    def about(self, trial: Trial) -> tuple[str, dict[str, Any]]:
        """The name of a trial's run, and the hyperparameters to write down."""

    @abstractmethod
    def ended(self, run: MetricLogger, trial: Trial, event: ev.TrialFinished | ev.TrialStopped) -> None:
        """A trial has a result, which is to be written down."""

    def settled(self, run: MetricLogger, trial: Trial) -> None:
        """A trial has come to its end, with a result or without: the last chance to write something down about it."""

    def improved(self, logger: MetricLogger, trial: Trial) -> None:
        """A trial is better than all before it."""

    def concluded(self, logger: MetricLogger) -> None:
        """The experiment is over: the last chance to write something down about all of it."""

    def begin(self, about: About) -> None:
        self.chronicle = Chronicle(about)

    def see(self, record: Record) -> None:
        logger = self._root(record.t)
        event, known = record.event, record.n < self._written
        brain, bests = self.chronicle.tally.brain, len(self.chronicle.tally.bests)
        run: MetricLogger | None = None
        of_attempt = isinstance(event, ev.MetricsReported | ev.TrialFinished | ev.TrialStopped)
        if of_attempt and not known and brain.holds(event.trial, event.attempt):  # type: ignore[union-attr]
            run = self._run(event.trial, record.t)  # type: ignore[union-attr]
        settled = [command.trial for command in self.chronicle.add(record) if isinstance(command, Settle)]
        if not known:
            match event:
                case ev.Suggested(trial=number) | ev.Promoted(trial=number):
                    self._run(number, record.t)
                case ev.MetricsReported() if run is not None:
                    run.log_curve(self._curve, event.steps, [float(value) for value in event.values])
                case ev.TrialFinished(trial=number) | ev.TrialStopped(trial=number) if run is not None:
                    self.ended(run, self.chronicle.trials[number], event)
            for number in settled:
                self._settle(number, record.t)
            if len(self.chronicle.tally.bests) > bests and (best := self.chronicle.tally.best_trial) is not None:
                self.improved(logger, self.chronicle.trials[best])
        for number in settled:
            self.chronicle.trials[number].curve = None  # it is written down, and may be long

    def refresh(self) -> None:
        if monotonic() - self._flushed_at > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Send what was written down so far."""
        for run in [*self._runs.values(), *([] if self._logger is None else [self._logger])]:
            run.flush()
        self._flushed_at = monotonic()

    def end(self) -> None:
        if self._logger is None:
            return
        for run in self._runs.values():
            run.interrupt()
        self.concluded(self._logger)
        match self.chronicle.tally.ending:
            case Ending.COMPLETE:
                self._logger.finish()
            case Ending.HOPELESS | Ending.SHORTHANDED:
                self._logger.finish(failed=True)
            case _:
                self._logger.interrupt()

    def _root(self, t: float) -> MetricLogger:
        if self._logger is None:
            self._logger = self._make()
            if self._logger.is_new:
                self._written = 0
        self._logger.at = t
        return self._logger

    def _run(self, number: int, t: float) -> MetricLogger:
        """The run of a trial; begun, or gone on with, where it is not open."""
        run = self._runs.get(number)
        if run is None:
            name, params = self.about(self.chronicle.trials[number])
            run = self._runs[number] = self._root(t).create_trial(number, name)
            run.at = t
            run.log_params(params)
        run.at = t
        return run

    def _settle(self, number: int, t: float) -> None:
        run, trial = self._run(number, t), self.chronicle.trials[number]
        self.settled(run, trial)
        del self._runs[number]
        run.finish(failed=not trial.state.has_result)
