"""Keras on several workers, through `lagom`, on whichever backend `KERAS_BACKEND` names."""

from __future__ import annotations

import os

import numpy as np
import pytest
from reliability.processes import worker_processes

from maggy import Searchspace, lagom
from maggy.config import BaseConfig, HyperparameterOptConfig, KerasDistributedConfig

pytestmark = [pytest.mark.keras, pytest.mark.distributed, pytest.mark.timeout(300)]

EPOCHS = 3


def data(rows, seed):
    x = np.random.default_rng(seed).normal(size=(rows, 5)).astype("float32")
    return x, (x[:, :1] * x[:, 1:2] > 0).astype("float32")


def make(units=8):
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(units, "relu"), keras.layers.Dense(1, "sigmoid")]
    return keras.Sequential([keras.Input((5,)), *layers])


def train(model, train_set, test_set, reporter, learning_rate=0.01):
    """Knows of no other workers. Returns the whole History."""
    import keras

    from maggy import KerasEpochEnd

    net = model()
    net.compile(keras.optimizers.AdamW(learning_rate), "binary_crossentropy", metrics=["accuracy"])
    callbacks = [KerasEpochEnd(reporter, metric="val_loss")]
    fitted = net.fit(*train_set, batch_size=8, epochs=EPOCHS, verbose=0, validation_data=test_set, callbacks=callbacks)
    points = {f"{name} {epoch}": value for name, values in fitted.history.items() for epoch, value in enumerate(values)}
    return {"Metric": fitted.history["val_loss"][-1], "pid": os.getpid(), **points}


GIVEN = {"model": make, "train_set": data(50, seed=0), "test_set": data(24, seed=1), "seed": 1}


def history_of(trial) -> dict[str, float]:
    return {name: value for name, value in trial.metric_dict.items() if name not in ("Metric", "pid")}


def test_the_whole_history_is_that_of_one_worker():
    alone = lagom(train, BaseConfig(**GIVEN), engine="inline", verbose=0)
    together = lagom(train, KerasDistributedConfig(**GIVEN, num_workers=2), engine="local", verbose=0)

    expected, history = history_of(alone.trials[0]), history_of(together.trials[0])
    assert len(expected) == 4 * EPOCHS
    assert history == pytest.approx(expected, abs=1e-6, rel=1e-5)
    assert together["test result"] == pytest.approx(expected[f"val_loss {EPOCHS - 1}"], abs=1e-6)


def test_trials_on_two_workers_follow_each_other():
    config = HyperparameterOptConfig(
        2,
        "randomsearch",
        Searchspace(learning_rate=("DOUBLE", [0.001, 0.05])),
        direction="min",
        es_policy="none",
        workers_per_trial=2,
        num_workers=2,
        distributed="keras",
        combine="first",
        **GIVEN,
    )
    result = lagom(train, config, engine="local", verbose=0)

    assert result["failed"] == 0
    assert [trial.attempt for trial in result.trials] == [0, 0]
    assert [trial.num_points for trial in result.trials] == [EPOCHS] * 2
    processes = {trial.metric_dict["pid"] for trial in result.trials}
    reused = os.environ["KERAS_BACKEND"] == "torch"  # the runtimes of the others begin once in a process
    assert len(processes) == (1 if reused else 2)
    assert worker_processes() == []
