"""The ablation study of Maggy's first slides, on whichever backend `KERAS_BACKEND` names."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from maggy import KerasBatchEnd, experiment
from maggy.ablation import AblationStudy

pytestmark = pytest.mark.keras


def passengers(ablated_features: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of which the first decides who survives, without those that a trial leaves out."""
    table = dict(zip(["fare", "age", "cabin"], np.random.default_rng(1912).normal(size=(3, 400)), strict=True))
    x = np.stack([column for name, column in table.items() if name not in ablated_features], axis=1)
    return x.astype("float32"), (table["fare"] > 0).astype("float32")[:, None]


def arrays(epochs: int, batch_size: int, ablated_features: tuple[str, ...] = ()) -> Iterator[Any]:
    """Batches that Keras takes on every backend."""
    x, y = passengers(ablated_features)
    for _ in range(epochs):
        for first in range(0, len(x), batch_size):
            yield x[first : first + batch_size], y[first : first + batch_size]


def tensors(epochs: int, batch_size: int, ablated_features: tuple[str, ...] = ()) -> Any:
    """The same as `tf.data`."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(passengers(ablated_features)).batch(batch_size).repeat(epochs)


def base_model_generator() -> Any:
    import keras

    model = keras.Sequential()
    model.add(keras.layers.Dense(16, activation="relu"))
    model.add(keras.layers.Dense(16, name="my_dense_two", activation="relu"))
    model.add(keras.layers.Dense(16, name="my_dense_three", activation="relu"))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    return model


def training_function(dataset_function: Any, model_function: Any, reporter: Any) -> dict[str, Any]:
    import keras

    keras.utils.set_random_seed(0)
    epochs, batch_size = 5, 40
    tf_dataset = dataset_function(epochs, batch_size)
    model = model_function()
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="binary_crossentropy", metrics=["acc"])

    cb = [KerasBatchEnd(reporter, metric="acc")]
    history = model.fit(tf_dataset, callbacks=cb, epochs=epochs, steps_per_epoch=10, verbose=0)

    return {"metric": history.history["acc"][-1], "inputs": model.input_shape[-1], "layers": len(model.layers)}


@pytest.mark.parametrize(
    "dataset_generator",
    [arrays, pytest.param(tensors, marks=pytest.mark.skipif(not find_spec("tensorflow"), reason="needs TensorFlow"))],
)
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")  # it is Keras's default
def test_the_sample_of_the_slides_finds_the_feature_that_decides(dataset_generator: Any) -> None:
    ablation_study = AblationStudy("titanic_train_dataset", training_dataset_version=1, label_name="survived")
    ablation_study.features.include("fare", "cabin")
    ablation_study.model.layers.include("my_dense_two")
    ablation_study.model.layers.include_groups(prefix="my_dense")
    ablation_study.model.set_base_model_generator(base_model_generator)
    ablation_study.set_dataset_generator(dataset_generator)

    result = experiment.lagom(
        map_fun=training_function,
        experiment_type="ablation",
        ablation_study=ablation_study,
        ablator="loco",
        name="Titanic-LOCO",
        direction="max",
        engine="inline",
        verbose=0,
    )

    made = {trial.params["variant"]: trial.metric_dict for trial in result.trials}
    assert {variant: (of["inputs"], of["layers"]) for variant, of in made.items()} == {
        "base": (3, 4),
        "without fare": (2, 4),
        "without cabin": (2, 4),
        "without my_dense_two": (3, 3),
        "without my_dense*": (3, 2),
    }
    assert made["base"]["metric"] > 0.9
    assert next(iter(result.effects)) == "fare"
    assert result.effects["fare"].effect < -0.2
    assert all(abs(result.effects[name].effect) < 0.1 for name in ("cabin", "my_dense_two", "my_dense*"))
