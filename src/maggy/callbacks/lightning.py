"""A callback for PyTorch Lightning."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl

from maggy.callbacks.report import Report
from maggy.worker.reporter import Reporter

_ADVICE = "Lightning measures what the module logs: self.log(name, value)"


class LightningReporter(pl.Callback):
    """Reports a metric after each epoch. A stop ends `Trainer.fit` there, and the trial is recorded as stopped.

    The steps are the epochs. Where there is validation, an epoch without it is passed over.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    a name that the module logs

    Raises ConfigError for a reporter that is none; in `fit`, MetricKeyError if the metric is not logged.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "val_loss") -> None:
        self._report = Report("LightningReporter", reporter, metric, _ADVICE)
        self._validated = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = not trainer.enable_validation

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        measured: dict[str, Any] = trainer.callback_metrics
        if self._validated and self._report.stops(measured, trainer.current_epoch):
            trainer.should_stop = True
