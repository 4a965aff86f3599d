"""Where runs are written down: one interface for all tracking services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import uuid4

OBJECTIVE = "OBJECTIVE_METRIC"
"""What the objective's number is called, beside metrics that have names of their own."""

CURVE = "REPORTED_METRIC"
"""What the numbers are called that a trial reports while it runs."""


class Reported(Protocol):
    """What came of a trial, as `log_report` takes it."""

    @property
    def metric(self) -> float: ...

    @property
    def params(self) -> Any: ...

    @property
    def metadata(self) -> dict[str, Any]: ...


class MetricLogger:
    """One run of a tracking service, which may have runs within it. Override what the service knows; the rest is lost.

    Made and called on the driver, in a thread of its own, so it may take its time: no trial waits for it.

    at      when that happened which is written down next, in seconds since the epoch; None: now
    is_new  whether the service knew nothing of the experiment before, although it may have begun earlier

    Source: Fugue-Tune's class of this name.
    """

    at: float | None = None
    is_new = False

    def __init__(self) -> None:
        self._unique_id = uuid4().hex[-5:]

    @property
    def unique_id(self) -> str:
        """A few characters that tell this run from others."""
        return self._unique_id

    def create_child(
        self, name: str | None = None, description: str | None = None, is_step: bool = False
    ) -> MetricLogger:
        """Begin a run within this one.

        name         how it is shown; None: the service finds one
        description  more about it
        is_step      whether it is a step of this run, and not a trial
        """
        return self

    def create_trial(self, trial: int, name: str) -> MetricLogger:
        """Begin the run of a trial, or go on with it, where the trial was promoted or the experiment resumed.

        trial  its number in the experiment
        name   how it is shown
        """
        return self.create_child(name)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Write down hyperparameters, once."""

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Write down one metric."""
        self.log_metrics({name: value}, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write down metrics, at a step where they are points of a curve."""

    def log_curve(self, name: str, steps: Sequence[int], values: Sequence[float]) -> None:
        """Write down points of a curve."""
        for step, value in zip(steps, values, strict=True):
            self.log_metric(name, value, step)

    def log_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Write down whatever else belongs to the run."""

    def log_report(
        self, report: Reported, log_params: bool = False, log_metadata: bool = False, extract_metrics: bool = False
    ) -> None:
        """Write down what came of a trial.

        log_params       its hyperparameters too
        log_metadata     its metadata too
        extract_metrics  numbers among its metadata as metrics
        """
        numbers = {name: float(value) for name, value in report.metadata.items() if isinstance(value, int | float)}
        self.log_metrics({OBJECTIVE: report.metric, **(numbers if extract_metrics else {})})
        if log_params:
            self.log_params(report.params.simple_value)
        if log_metadata:
            self.log_metadata(report.metadata)

    def log_files(self, folder: Path, name: str) -> None:
        """Keep the files of a folder with the run, under this name."""

    def flush(self) -> None:
        """Send what was written down so far; called every few seconds."""

    def finish(self, failed: bool = False) -> None:
        """The run is over."""

    def interrupt(self) -> None:
        """The run was cut short, and may go on another time."""
        self.finish(failed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.finish(failed=kind is not None)
