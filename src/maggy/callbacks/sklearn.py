"""Reporters for the estimators of scikit-learn that learn step by step.

`partial_fit` leaves the loop to its caller, so what fits there is something to call in the loop that says whether to
leave it; it takes what a scorer takes. `fit` of gradient boosting takes a `monitor`, which is called after each stage
and ends training by returning True. The callbacks of scikit-learn 1.9 cover too few estimators to build on.
"""

from __future__ import annotations

from typing import Any

from maggy.callbacks.report import Report
from maggy.errors import MetricKeyError
from maggy.worker.reporter import Reporter


class PartialFitReporter:
    """Reports a score after each `partial_fit`, and says whether to leave the loop; the trial is then stopped.

        if report(model, X_val, y_val):
            break

    The steps are the calls.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    name of one of scikit-learn's scorers, e.g. "accuracy", "neg_log_loss"; None: the model's own `score`

    Raises ConfigError for a reporter that is none, MetricKeyError for a scorer that scikit-learn does not have.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str | None = None) -> None:
        from sklearn.metrics import get_scorer, get_scorer_names

        advice = "metric= takes what sklearn.metrics.get_scorer_names() lists"
        if metric is not None and metric not in (known := get_scorer_names()):
            raise MetricKeyError("PartialFitReporter", metric, known, advice)
        self._report = Report("PartialFitReporter", reporter, None, advice)
        self._metric = metric or "score"
        self._scorer = get_scorer(metric) if metric is not None else None

    def __call__(self, model: Any, X: Any, y: Any) -> bool:  # noqa: N803  scikit-learn's names
        score = model.score(X, y) if self._scorer is None else self._scorer(model, X, y)
        return self._report.stops({self._metric: score}, 0)  # each call is a training of one step, after those before


class GradientBoostingReporter:
    """Reports a loss after each stage; as `monitor` of `GradientBoostingClassifier.fit` and of the regressor.

    The steps are the stages. A stop ends `fit` there, and the trial is recorded as stopped.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    "train_score_", the training loss; with `subsample` below 1 also "oob_scores_", the loss on what a stage
              has left out, or "oob_improvement_"

    Raises ConfigError for a reporter that is none; in `fit`, MetricKeyError if the metric is not measured.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "train_score_") -> None:
        advice = "What is left out is measured with subsample < 1"
        self._report = Report("GradientBoostingReporter", reporter, metric, advice)

    def __call__(self, stage: int, model: Any, variables: dict[str, Any]) -> bool:
        names = ("train_score_", "oob_scores_", "oob_improvement_")
        measured = {name: getattr(model, name)[stage] for name in names if hasattr(model, name)}
        return self._report.stops(measured, stage)
