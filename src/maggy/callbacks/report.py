"""What all callbacks share: whom they report to, which number, and at which step."""

from __future__ import annotations

from typing import Any

from maggy.errors import ConfigError, EarlyStopException, MetricKeyError, PreemptedException
from maggy.worker.reporter import Reporter
from maggy.worker.running import running


class Report:
    """Reports one of the numbers that a library has measured.

    callback  name of the callback, for messages
    reporter  None: that of the running trial; outside an experiment one that prints
    metric    which number; None: the last of those that were measured
    advice    how to have a metric measured, for messages

    Raises ConfigError for a reporter that is none.
    """

    def __init__(self, callback: str, reporter: Reporter | None, metric: str | None, advice: str) -> None:
        if reporter is not None and not isinstance(reporter, Reporter):
            raise ConfigError(
                f"{callback} was given {type(reporter).__name__} {str(reporter)[:60]!r} as reporter; it has to be the "
                f"training function's argument `reporter`, or left out. The metric's name is the second: metric=..."
            )
        self._callback, self._given, self._metric, self._advice = callback, reporter, metric, advice
        self._reporter: Reporter | None = None  # the one that was told last
        self._told, self._offset = -1, 0

    def __getstate__(self) -> dict[str, Any]:
        """A callback that has run by hand travels to workers as one that has not."""
        return {**vars(self), "_reporter": None, "_told": -1, "_offset": 0}

    def broadcast(self, measured: dict[str, Any], step: int) -> None:
        """Report at a step, counted by the library.

        A library that trains for a second time counts from 0 again; its steps then follow those before.

        Raises MetricKeyError if the metric is not among what was measured, ConfigError if something else reports in
        between, and whatever `Reporter.broadcast` raises.
        """
        metric = next(reversed(measured), "") if self._metric is None else self._metric
        if metric not in measured:
            raise MetricKeyError(self._callback, metric, measured, self._advice)
        reporter = self._given or running() or self._by_hand()
        if reporter is not self._reporter or step <= self._told:  # training starts, perhaps once more
            self._reporter, self._offset = reporter, max(0, reporter.last_step + 1 - step)
        elif reporter.last_step != self._told + self._offset:
            raise ConfigError(
                f"{self._callback} reports {metric!r}, and something else reports to the same trial between its steps; "
                f"rules would compare the one with the other. Report one metric in each training, once"
            )
        self._told = step
        reporter.broadcast(measured[metric], step + self._offset)

    def stops(self, measured: dict[str, Any], step: int) -> bool:
        """The same for a library that ends training in a way of its own: whether it has to do so now.

        The training function then returns, and the trial is stopped and not finished. A worker that is taken away has
        no time for that: PreemptedException is raised.
        """
        try:
            self.broadcast(measured, step)
        except PreemptedException:
            raise
        except EarlyStopException:
            assert self._reporter is not None
            self._reporter.cut_short = True
            return True
        return False

    def _by_hand(self) -> Reporter:
        """One that prints; the same until a trial has run in between."""
        return self._reporter if self._reporter is not None and self._reporter.trial_id is None else Reporter()
