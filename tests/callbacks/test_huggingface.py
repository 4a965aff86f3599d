"""The callback of the Hugging Face Trainer."""

from __future__ import annotations

import pytest
from callbacks.helpers import log, points, search_with_a_stop, table

from maggy import Reporter
from maggy.callbacks import HuggingFaceReporter
from maggy.errors import ConfigError, MetricKeyError


def trainer(callback, steps=4, **settings):
    """A Trainer of a line, which evaluates after every second step."""
    import torch
    from transformers import Trainer, TrainingArguments

    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, x, labels):
            return {"loss": torch.nn.functional.mse_loss(self.layer(x).squeeze(1), labels)}

    x, y = map(torch.from_numpy, table(rows=8))
    rows = [{"x": features, "labels": label} for features, label in zip(x, y.float(), strict=True)]
    settings = {"eval_strategy": "steps", "eval_steps": 2, "logging_steps": 1, **settings}
    quiet = {"disable_tqdm": True, "report_to": [], "save_strategy": "no", "use_cpu": True}
    arguments = TrainingArguments("out", max_steps=steps, per_device_train_batch_size=8, **quiet, **settings)
    return Trainer(Line(), arguments, train_dataset=rows, eval_dataset=rows, callbacks=[callback])


def steps_in(text):
    return [int(line.split()[1].rstrip(":")) for line in text.splitlines() if line.startswith("step ")]


def test_a_stop_ends_training_after_an_evaluation_and_the_function_goes_on_with_its_trainer():
    def train(length):
        from callbacks.test_huggingface import trainer

        from maggy.callbacks import HuggingFaceReporter

        trained = trainer(HuggingFaceReporter(), 2 * length)
        trained.train()
        print("steps", trained.state.global_step)
        return trained.evaluate()["eval_loss"]

    _, stopped, result = search_with_a_stop(train)

    assert log(result, stopped)[-2].startswith("steps ")
    assert [step for step, _ in points(result, stopped)] == list(range(2, 2 * stopped.num_points + 2, 2))


def test_a_metric_of_training_is_reported_whenever_the_trainer_logs_it(capsys):
    trained = trainer(HuggingFaceReporter(Reporter(), "loss"))
    trained.train()
    trained.evaluate()

    assert steps_in(capsys.readouterr().out) == [1, 2, 3, 4]


def test_what_is_evaluated_after_training_is_not_reported(capsys):
    trained = trainer(HuggingFaceReporter())
    trained.evaluate()
    trained.train()
    trained.evaluate(metric_key_prefix="test")

    assert steps_in(capsys.readouterr().out) == [2, 4]


@pytest.mark.parametrize(("metric", "hint"), [("eval_los", "eval_loss"), ("los", "loss")])
def test_a_metric_that_is_not_measured_is_an_error_that_lists_what_there_is(metric, hint):
    with pytest.raises(MetricKeyError, match=rf"'{metric}'\. Did you mean '{hint}'\? There are .*'{hint}'"):
        trainer(HuggingFaceReporter(metric=metric)).train()


def test_a_metric_of_evaluation_without_evaluation_is_an_error_before_the_first_step():
    with pytest.raises(ConfigError, match=r"'eval_loss', but this Trainer never evaluates.* eval_strategy"):
        trainer(HuggingFaceReporter(), eval_strategy="no").train()
