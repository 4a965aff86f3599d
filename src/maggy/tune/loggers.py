"""Studies in tracking services: a run for each candidate, within one for the study."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from maggy.brain import events as ev
from maggy.errors import ConfigError
from maggy.tracking.metric_logger import MetricLogger
from maggy.tracking.mlflow import MlflowLogger
from maggy.tracking.names import service_named
from maggy.tracking.trial_runs import TrialRuns
from maggy.tracking.wandb import WandbLogger
from maggy.trial import Trial
from maggy.tune.dataset import TuneDataset
from maggy.tune.running import report_of
from maggy.tune.studies import CANDIDATE
from maggy.tune.trial import TrialReport

__all__ = ["MetricLogger", "MlflowLogger", "StudyRuns", "WandbLogger", "to_logger"]

_STUDY = "tune"
_PROJECT = "TUNE-DEFAULT"
_SERVICES = ("mlflow", "wandb")


class StudyRuns(TrialRuns):
    """Writes down a run for each candidate, and the best report of all in that of the study.

    dataset  what is tried
    """

    def __init__(self, dataset: TuneDataset, make: Callable[[], MetricLogger]) -> None:
        super().__init__(make)
        self._dataset = dataset
        self._best: TrialReport | None = None

    def about(self, trial: Trial) -> tuple[str, dict[str, Any]]:
        candidate = self._dataset.trials[trial.params[CANDIDATE]]
        keys = dict(zip(self._dataset.keys, candidate.keys, strict=True))
        known = candidate.params.simple_value if candidate.params.empty else {}
        return f"{trial.trial_id}-{candidate.trial_id[:5]}", {**keys, **known}

    def ended(self, run: MetricLogger, trial: Trial, event: ev.TrialFinished | ev.TrialStopped) -> None:
        if event.outputs is None:
            return
        report = report_of(self._dataset, trial.params, event.outputs)
        searched = not report.trial.params.empty  # what was chosen is known only now
        run.log_report(report, log_params=searched, log_metadata=True, extract_metrics=True)
        if self._best is None or report.sort_metric < self._best.sort_metric:
            self._best = report

    def concluded(self, logger: MetricLogger) -> None:
        if self._best is not None:
            logger.log_report(self._best, log_params=True, log_metadata=True, extract_metrics=True)


def to_logger(value: object) -> Callable[[], MetricLogger] | None:
    """What makes the logger that is meant, on the driver, when the study begins.

    value  "mlflow" or "wandb", with ":NAME" for the experiment or project; a `MetricLogger`, a function that makes one,
           a run of MLflow, or None for none. "mlflow" alone goes on in the active run, where there is one

    Raises UnknownNameError, ConfigError where the service's package is not installed.
    """
    if value is None:
        return None
    if isinstance(value, MetricLogger):
        return lambda: value
    if isinstance(value, str):
        return _named(value)
    if hasattr(value, "info") and hasattr(value.info, "run_id"):
        return partial(MlflowLogger, value, owns=False)
    if callable(value):
        return value
    raise ConfigError(f"logger is e.g. 'mlflow' or 'wandb:project', a MetricLogger, or makes one, got {value!r}")


def _named(value: str) -> Callable[[], MetricLogger]:
    service, name = service_named("logger", "logger", value, _SERVICES)
    if service == "wandb":
        return partial(WandbLogger.begin, _STUDY, name or _PROJECT)
    active = None if name or service not in sys.modules else sys.modules[service].active_run()  # of this thread
    return partial(MlflowLogger.begin, _STUDY, name) if active is None else partial(MlflowLogger, active, owns=False)
