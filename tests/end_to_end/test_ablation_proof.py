"""An ablation study finds what is known beforehand: a column that gives the label away, one that is noise, a layer that
everything needs and one that nothing needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from maggy import lagom
from maggy.ablation import AblationStudy
from maggy.config import AblationConfig

REPEATS = 3


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two thirds to train on, one third to test on.

    The label is how far `leak` is from 0, which nothing linear can tell. `noise` says nothing about it.
    """
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 450)
    table = pd.DataFrame(
        {
            "noise": rng.normal(size=450),
            "leak": label * rng.choice([-2, 2], 450) + 0.2 * rng.normal(size=450),
            "label": label,
        }
    )
    return table[:300], table[300:]


def torch_model(inputs: int) -> Any:
    """A network in which `essential` is all that is not linear, and of `useless` nothing gets through."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = torch.nn.Linear(inputs, 32)
            self.essential = torch.nn.ReLU()
            self.useless = torch.nn.Linear(32, 32)
            self.output = torch.nn.Linear(32, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.essential(self.hidden(x))
            return self.output(x + 0.0 * self.useless(x))

    return Net()


def train_torch(model: Any, train_set: pd.DataFrame, test_set: pd.DataFrame, seed: int, reporter: Any) -> float:
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(seed)
    (x, y), (test_x, test_y) = (
        (torch.tensor(part.drop(columns="label").to_numpy("float32")), torch.tensor(part.label.to_numpy()))
        for part in (train_set, test_set)
    )
    net = model(x.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for epoch in range(5):
        for batch in torch.randperm(len(x)).split(30):
            optimizer.zero_grad()
            cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            loss = cross_entropy(net(test_x), test_y).item()
        reporter.broadcast(loss, epoch)
    return loss


def keras_model(inputs: int) -> Any:
    """The same with Keras."""
    import keras

    given = keras.Input((inputs,))
    x = keras.layers.Dense(32, name="hidden")(given)
    x = keras.layers.ReLU(name="essential")(x)
    nothing = keras.layers.Rescaling(0.0)(keras.layers.Dense(32, name="useless")(x))
    x = keras.layers.Add()([x, nothing])
    return keras.Model(given, keras.layers.Dense(2, activation="softmax", name="output")(x))


def train_keras(model: Any, train_set: pd.DataFrame, test_set: pd.DataFrame, seed: int, reporter: Any) -> float:
    import keras

    from maggy import KerasEpochEnd

    keras.utils.set_random_seed(seed)
    (x, y), test = ((part.drop(columns="label").to_numpy("float32"), part.label) for part in (train_set, test_set))
    net = model(x.shape[1])
    net.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    return net.fit(
        x,
        y,
        batch_size=30,
        epochs=5,
        validation_data=test,
        callbacks=[KerasEpochEnd(reporter, "val_loss")],
        verbose=0,
    ).history["val_loss"][-1]


@pytest.mark.parametrize("engine", ["local", pytest.param("spark", marks=pytest.mark.spark)], indirect=True)
@pytest.mark.parametrize(("model", "train"), [(torch_model, train_torch), (keras_model, train_keras)])
def test_a_study_ranks_what_is_essential_above_what_is_useless(model: Any, train: Any, engine: Any) -> None:
    train_set, test_set = tables()
    study = AblationStudy(label_name="label")
    study.features.include("noise", "leak")
    study.model.layers.include("useless", "essential")
    study.model.set_sample(np.zeros((2, 2), "float32"), inputs=2)
    config = AblationConfig(
        study, direction="min", model=model, train_set=train_set, test_set=test_set, repeats=REPEATS, seed=0
    )

    effects = lagom(train, config, engine=engine, verbose=0).effects
    print(effects)  # to be seen if it fails

    assert effects.reference.high < 0.2
    assert set(list(effects)[:2]) == {"leak", "essential"}
    for name in ("leak", "essential"):
        assert effects[name].verdict == "worse without it"
        assert effects[name].low > 0.3, "guessing has a loss of log(2), 0.69"
    assert -0.15 < effects["noise"].low < effects["noise"].high < 0.15
    assert effects["useless"].verdict == "no difference"
    assert effects["useless"].values == (0.0,) * REPEATS
