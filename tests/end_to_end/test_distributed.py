"""PyTorch on several workers, through `lagom`: the curve is that of one worker, point for point."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from maggy import Searchspace, lagom
from maggy.brain.events import MetricsReported
from maggy.config import BaseConfig, HyperparameterOptConfig, TorchDistributedConfig
from maggy.journal import ExperimentFolder, read
from maggy.trial import TrialState

pytestmark = pytest.mark.distributed

EXACT = 1e-12
"""In double precision, losses of some 0.1 to 1 differ by no more: gradients are summed in another order."""
ROUNDED = 1e-5
"""In single precision."""

EPOCHS, BATCH = 3, 8
X = torch.randn(65, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
Y = (X[:, :2].prod(1, keepdim=True) + X[:, 2:3]).tanh()
TRAIN = torch.utils.data.TensorDataset(X[:44], Y[:44])  # the last batch is smaller
TEST = torch.utils.data.TensorDataset(X[44:], Y[44:])  # ranks have unequal parts
POINTS = EPOCHS * (6 + 1)


class Net(nn.Module):
    """Several layers, of which FSDP takes the two large ones for units."""

    def __init__(self, dtype: torch.dtype, hidden: int = 320) -> None:
        super().__init__()
        self.first = nn.Linear(6, hidden)
        self.wide = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, 1)
        self.to(dtype)

    def forward(self, x):
        return self.head(self.norm(self.wide(torch.tanh(self.first(x)))))


def train(model, train_set, test_set, context, reporter, seed, precision="double", killed=False):
    """Reports the loss over each global batch, and after each epoch that over the test set."""
    import os
    import signal

    dtype = getattr(torch, precision)
    torch.manual_seed(seed)
    net = model(dtype)
    optimizer = torch.optim.AdamW(net.parameters(), 0.001)
    state = reporter.load_checkpoint()
    begun = 0
    if state is not None:
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        begun = state["epoch"]
    batches = context.loader(train_set, BATCH, shuffle=True, epoch=begun)
    step = begun * 7
    loss_of = nn.functional.mse_loss
    for epoch in range(begun, EPOCHS):
        net.train()
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_of(net(x.to(dtype)), y.to(dtype))
            loss.backward()
            optimizer.step()
            reporter.broadcast(context.mean(loss.item() * len(x), len(x)), step=step)
            step += 1
            if killed and state is None and step == 18 and context.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        net.eval()
        total = count = 0
        with torch.no_grad():
            for x, y in context.loader(test_set, 6):
                total += loss_of(net(x.to(dtype)), y.to(dtype), reduction="sum").item()
                count += len(x)
        reporter.broadcast(context.mean(total, count), step=step)
        step += 1
        reporter.save_checkpoint({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1})
    return {"Metric": context.mean(total, count), "ranks": context.size, "begun": begun}


GIVEN = {"model": Net, "train_set": TRAIN, "test_set": TEST, "seed": 3}


def curve_of(result) -> dict[int, float]:
    """What the journal says that was reported at each step; a step that was taken again has to say the same again."""
    points: dict[int, float] = {}
    for record in read(ExperimentFolder(result.experiment_dir)):
        if isinstance(record.event, MetricsReported):
            for step, value in zip(record.event.steps, record.event.values, strict=True):
                assert float(value) == pytest.approx(points.get(step, float(value)), abs=EXACT)
                points[step] = float(value)
    return points


def distance(one: dict[int, float], other: dict[int, float]) -> float:
    """The largest difference between two curves, which have the same steps."""
    assert one.keys() == other.keys() and len(one) == POINTS
    return max(abs(one[step] - other[step]) for step in one)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The curves of one worker, by precision."""
    folder = tmp_path_factory.mktemp("alone")

    def curve(precision):
        config = BaseConfig(**GIVEN, hparams={"precision": precision}, experiment_dir=folder / precision)
        return curve_of(lagom(train, config, engine="inline", verbose=0))

    return {precision: curve(precision) for precision in ("double", "float")}


@pytest.fixture(params=["local", pytest.param("spark", marks=pytest.mark.spark)])
def processes(request):
    """Engines whose workers are processes of their own."""
    if request.param == "spark":
        from maggy.engine.spark import SparkEngine

        return SparkEngine(request.getfixturevalue("spark"))
    return request.param


# --- the same curve


@pytest.mark.parametrize("zero_lvl", [0, 3])
def test_two_workers_have_the_curve_of_one(zero_lvl, processes, alone):
    config = TorchDistributedConfig(**GIVEN, num_workers=2, zero_lvl=zero_lvl)
    result = lagom(train, config, engine=processes, verbose=0)
    [trial] = result.trials
    assert (trial.metric_dict["ranks"], trial.attempt) == (2, 0)
    curve = curve_of(result)
    assert distance(curve, alone["double"]) < EXACT
    assert curve[max(curve)] == trial.final_metric < 0.5 * curve[6], "it has learned"


@pytest.mark.parametrize("zero_lvl", [0, 3])
def test_so_they_do_if_one_is_killed_and_the_training_goes_on_from_its_checkpoint(zero_lvl, alone):
    config = TorchDistributedConfig(**GIVEN, num_workers=2, zero_lvl=zero_lvl, hparams={"killed": True})
    result = lagom(train, config, engine="local", verbose=0)
    [trial] = result.trials
    assert (trial.state, trial.attempt, trial.metric_dict["begun"]) == (TrialState.FINISHED, 1, 2)
    assert distance(curve_of(result), alone["double"]) < EXACT


def test_in_single_precision_it_differs_in_the_last_digits(alone):
    config = TorchDistributedConfig(**GIVEN, num_workers=2, hparams={"precision": "float"})
    assert distance(curve_of(lagom(train, config, engine="local", verbose=0)), alone["float"]) < ROUNDED


# --- tables


TABLE = pd.DataFrame(np.random.default_rng(5).normal(size=(48, 4)), columns=["a", "b", "c", "target"])


def fit_rows(model, train_set, reporter, batch_size):
    """Knows of no other workers: it trains on the rows that it gets."""
    torch.manual_seed(0)
    x, y = (torch.tensor(train_set[columns].to_numpy()) for columns in (["a", "b", "c"], ["target"]))
    net = model(3, 1).double()
    optimizer = torch.optim.AdamW(net.parameters(), 0.05)
    for first in range(0, len(x), batch_size):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[first : first + batch_size]), y[first : first + batch_size])
        loss.backward()
        optimizer.step()
        reporter.broadcast(loss.item())
    return {"Metric": loss.item(), "rows": len(train_set)}


def fit_batches(model, train_set, context, reporter, batch_size):
    """Gets the whole table; the context's loader has the rows of a rank."""
    torch.manual_seed(0)
    net = model(3, 1).double()
    optimizer = torch.optim.AdamW(net.parameters(), 0.05)
    columns = train_set[["a", "b", "c"]].to_numpy(), train_set[["target"]].to_numpy()
    for x, y in context.loader(columns, batch_size):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        reporter.broadcast(loss.item())
    return {"Metric": loss.item(), "rows": len(train_set)}


@pytest.mark.parametrize(
    ("function", "rows", "batch_size"),
    [(fit_rows, 24, 4), (fit_batches, 48, 8)],
    ids=["without the context, in batches per worker", "with the context, in global batches"],
)
def test_a_table_is_shared_by_the_workers(function, rows, batch_size):
    given = {"model": nn.Linear, "train_set": TABLE}
    alone = lagom(function, BaseConfig(**given, hparams={"batch_size": 8}), engine="inline", verbose=0)
    config = TorchDistributedConfig(**given, num_workers=2, hparams={"batch_size": batch_size})
    together = lagom(function, config, engine="local", verbose=0)

    assert together.trials[0].metric_dict["rows"] == rows
    curve, expected = curve_of(together), curve_of(alone)
    assert len(expected) == 6
    assert [curve[step] for step in expected] == pytest.approx(list(expected.values()), abs=EXACT)


# --- a search


def test_a_search_over_trainings_stops_each_at_the_same_step_on_every_rank():
    def climb(model, train_set, context, reporter, learning_rate, budget):
        torch.manual_seed(0)
        net = model(6, 1).double()
        optimizer = torch.optim.SGD(net.parameters(), learning_rate)
        step = -1
        try:
            for _ in range(int(budget) * 5):
                for x, y in context.loader(train_set, 22, shuffle=True):
                    optimizer.zero_grad()
                    loss = nn.functional.mse_loss(net(x), y)
                    loss.backward()  # a rank that is alone here waits for ever
                    optimizer.step()
                    step += 1
                    reporter.broadcast(loss.item(), step=step)
        finally:
            reporter.log(f"left after step {step} with {net.weight.sum().item()!r}")
        return loss.item()

    config = HyperparameterOptConfig(
        12,
        "asha",
        Searchspace(learning_rate=("DOUBLE", [0.0, 1.0])),  # half of it diverges
        direction="min",
        es_policy="median",
        es_min=2,
        workers_per_trial=2,
        num_workers=4,
        model=nn.Linear,
        train_set=TRAIN,
        seed=3,
    )
    result = lagom(climb, config, engine="local", verbose=0)

    assert len(result.trials) == 12 and result["failed"] == 0
    assert result["early_stopped"] > 0
    for trial in result.trials:
        log = (Path(result.experiment_dir) / "trials" / str(trial.trial_id) / "output.log").read_text()
        left = {rank: re.findall(rf"^\[rank {rank}\] (left .*)$", log, re.MULTILINE) for rank in (0, 1)}
        assert len(left[0]) >= 1
        assert left[0] == left[1], f"trial {trial.trial_id} did not stop at the same step"
