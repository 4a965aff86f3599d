"""A callback for LightGBM."""

from __future__ import annotations

from lightgbm.callback import CallbackEnv, EarlyStopException

from maggy.callbacks.report import Report
from maggy.worker.reporter import Reporter

_ADVICE = "LightGBM measures `metric` on what `fit` is given as eval_set, or `train` as valid_sets"


class LightGBMReporter:
    """Reports a metric after each round. A stop ends training there, and the trial is recorded as stopped.

    The steps are the rounds.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    data set and metric, e.g. "valid_0-auc"; None: the last metric of the last data set

    Raises ConfigError for a reporter that is none; in training, MetricKeyError if the metric is not measured.
    """

    order = 25  # after LightGBM's own callbacks that print and record, before its early stopping

    def __init__(self, reporter: Reporter | None = None, metric: str | None = None) -> None:
        self._report = Report("LightGBMReporter", reporter, metric, _ADVICE)

    def __call__(self, env: CallbackEnv) -> None:
        results = env.evaluation_result_list or []
        measured = {f"{data}-{name}": value for data, name, value, *_ in results}
        if self._report.stops(measured, env.iteration):
            raise EarlyStopException(env.iteration, results)
