"""A callback for the Trainer of Hugging Face Transformers."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from maggy.callbacks.report import Report
from maggy.errors import ConfigError
from maggy.worker.reporter import Reporter

_ADVICE = "The Trainer measures 'eval_loss' and what `compute_metrics` returns, as 'eval_...', when it evaluates"


class HuggingFaceReporter(TrainerCallback):
    """Reports a metric at each evaluation, or, if its name does not begin with "eval_", whenever the Trainer logs.

    The steps are those of the optimizer. A stop ends `Trainer.train` there, and the trial is recorded as stopped.

    reporter  the training function's; None: that of the running trial, or one that prints outside an experiment
    metric    a name that the Trainer measures, e.g. "eval_loss", "eval_accuracy", "loss"

    Raises ConfigError for a reporter that is none; in `train`, ConfigError for a metric of evaluation without any, and
    MetricKeyError if the metric is not measured.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "eval_loss") -> None:
        self._report = Report("HuggingFaceReporter", reporter, metric, _ADVICE)
        self._metric = metric
        self._training = False  # the Trainer also evaluates when it does not train

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._training = True
        if self._of_evaluation and args.eval_strategy == "no":
            raise ConfigError(
                f"HuggingFaceReporter is to report {self._metric!r}, but this Trainer never evaluates while it trains; "
                f"set eval_strategy in its TrainingArguments, or report 'loss'"
            )

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._of_evaluation:
            self._tell(kwargs["metrics"], state, control)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        of_training = "loss" in kwargs["logs"]  # else it logs an evaluation, or the end
        if of_training and not self._of_evaluation:
            self._tell(kwargs["logs"], state, control)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._training = False

    @property
    def _of_evaluation(self) -> bool:
        return self._metric.startswith("eval_")

    def _tell(self, measured: dict[str, Any], state: TrainerState, control: TrainerControl) -> None:
        if self._training and self._report.stops(measured, state.global_step):
            control.should_training_stop = True
