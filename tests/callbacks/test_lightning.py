"""The callback of PyTorch Lightning."""

from __future__ import annotations

import pytest
from callbacks.helpers import log, points, search_with_a_stop, table

from maggy import Reporter
from maggy.callbacks import LightningReporter
from maggy.errors import MetricKeyError

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:The '(train|val)_dataloader' does not have many workers"),
]


def fit(callback, epochs=3, validates=True, **settings):
    """The trainer after training a line."""
    import lightning.pytorch as pl
    import torch

    class Line(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def loss(self, batch):
            x, y = batch
            return torch.nn.functional.mse_loss(self.layer(x).squeeze(1), y)

        def training_step(self, batch, index):
            loss = self.loss(batch)
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", self.loss(batch))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)

    x, y = map(torch.from_numpy, table(rows=8))
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y.float()), batch_size=8)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", callbacks=[callback], **quiet, **settings)
    trainer.fit(Line(), batches, batches if validates else None)
    return trainer


def test_a_stop_ends_training_after_an_epoch_and_the_function_goes_on_with_its_trainer():
    def train(length):
        from callbacks.test_lightning import fit

        from maggy.callbacks import LightningReporter

        trainer = fit(LightningReporter(), length)
        print("epochs", trainer.current_epoch)
        return trainer.callback_metrics["val_loss"]

    _, stopped, result = search_with_a_stop(train)

    assert log(result, stopped)[-1] == f"epochs {stopped.num_points}"
    assert [step for step, _ in points(result, stopped)] == list(range(stopped.num_points))


def test_epochs_without_validation_are_passed_over(capsys):
    fit(LightningReporter(), epochs=5, check_val_every_n_epoch=2)

    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["step 1", "step 3"]


def test_without_validation_each_epoch_is_reported(capsys):
    fit(LightningReporter(Reporter(), "train_loss"), validates=False)

    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["step 0", "step 1", "step 2"]


def test_a_metric_that_the_module_does_not_log_is_an_error_that_lists_what_it_does():
    with pytest.raises(MetricKeyError, match=r"'val_los'\. Did you mean 'val_loss'\? There are .*'train_loss'"):
        fit(LightningReporter(metric="val_los"))
