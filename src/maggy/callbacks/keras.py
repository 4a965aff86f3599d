"""Callbacks for Keras 3, on any of its backends."""

from __future__ import annotations

from typing import Any

import keras

from maggy.callbacks.report import Report
from maggy.worker.reporter import Reporter

_ADVICE = (
    "Keras measures the loss, what `compile` is given as metrics, and the same as 'val_...' at the end of an epoch in "
    "which `fit` validates"
)


class _Callback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_model": None}  # one that was used by hand travels without the model it has seen


class KerasBatchEnd(_Callback):
    """Reports a metric after each batch. A stop leaves `fit` as an EarlyStopException, in the middle of an epoch.

    The steps are the batches since training began, over all epochs; with `steps_per_execution`, those after which Keras
    calls back.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    a name that Keras measures during training

    Raises ConfigError for a reporter that is none; in `fit`, MetricKeyError if the metric is not measured.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "loss") -> None:
        super().__init__()
        self._report = Report("KerasBatchEnd", reporter, metric, _ADVICE)
        self._before = self._batches = 0  # batches in the epochs before, and in this one

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._before = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._before += self._batches
        self._batches = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches = batch + 1
        self._report.broadcast(logs or {}, self._before + batch)


class KerasEpochEnd(_Callback):
    """Reports a metric after each epoch. A stop ends `fit` there, which returns its History.

    The steps are the epochs. What follows `fit` in the training function still runs; the trial is recorded as stopped,
    with the metric that was reported last.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    a name that Keras measures, e.g. "val_loss", "accuracy"

    Raises ConfigError for a reporter that is none; in `fit`, MetricKeyError if the metric is not measured.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "val_loss") -> None:
        super().__init__()
        self._report = Report("KerasEpochEnd", reporter, metric, _ADVICE)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._report.stops(logs or {}, epoch):
            self.model.stop_training = True
