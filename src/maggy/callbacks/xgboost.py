"""A callback for XGBoost."""

from __future__ import annotations

from typing import Any

import xgboost

from maggy.callbacks.report import Report
from maggy.worker.reporter import Reporter

_ADVICE = "XGBoost measures `eval_metric` on what `fit` is given as eval_set, or `train` as evals"


class XGBoostReporter(xgboost.callback.TrainingCallback):
    """Reports a metric after each round. A stop ends training there, and the trial is recorded as stopped.

    The steps are the rounds.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    data set and metric as XGBoost prints them, e.g. "validation_0-auc"; None: the last metric of the last
              data set, by which XGBoost's own early stopping goes as well

    Raises ConfigError for a reporter that is none; in training, MetricKeyError if the metric is not measured.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str | None = None) -> None:
        super().__init__()
        self._report = Report("XGBoostReporter", reporter, metric, _ADVICE)

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, Any]]) -> bool:
        measured = {f"{data}-{name}": log[-1] for data, logs in evals_log.items() for name, log in logs.items()}
        return self._report.stops(measured, epoch)
