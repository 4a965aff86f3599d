"""What there is to say about the training of a Keras model, in one place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maggy.tune.iterative import CheckpointFolder
from maggy.tune.template import TuningParametersTemplate, to_template

if TYPE_CHECKING:
    import keras
    import pandas as pd

_WEIGHTS = "model.weights.h5"


class KerasTrainingSpec(ABC):
    """A model, how it is compiled and fitted, and what of that counts.

    params  the hyperparameters: `self.params["l1"]`, or `self.params.simple_value` as a dict
    dfs     the tables by name, where there are any

    Everything is imported inside of the methods, because they run in workers.

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, params: Mapping[str, Any], dfs: Mapping[str, pd.DataFrame] | None = None) -> None:
        self.params: TuningParametersTemplate = to_template(params)
        self.dfs: dict[str, pd.DataFrame] = dict(dfs or {})
        self._model: keras.Model | None = None

    @abstractmethod
    def get_model(self) -> keras.Model:
        """A new model, not compiled."""

    @abstractmethod
    def get_compile_params(self) -> dict[str, Any]:
        """The arguments of `compile`."""

    @abstractmethod
    def get_fit_params(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of `fit`: those by position, and those by name. A search sets the epochs."""

    @abstractmethod
    def get_fit_metric(self, history: keras.callbacks.History) -> float:
        """The metric, of what `fit` returned."""

    @abstractmethod
    def generate_sort_metric(self, metric: float) -> float:
        """What candidates are sorted by, smaller is better: the metric, or `-metric` where larger is better."""

    def save_checkpoint(self, fs: CheckpointFolder, model: keras.Model) -> None:
        """Write what is needed to go on; the weights and the state of the optimizer, if it is not overridden."""
        model.save_weights(fs.getsyspath(_WEIGHTS))

    def load_checkpoint(self, fs: CheckpointFolder, model: keras.Model) -> None:
        """Go on from what `save_checkpoint` has written, with a model that is compiled."""
        if not model.built:
            self._build(model)
        model.optimizer.build(model.trainable_variables)
        model.load_weights(fs.getsyspath(_WEIGHTS))

    def finalize(self) -> None:
        """The training is paused or over: called last, also after an error."""

    @property
    def model(self) -> keras.Model:
        """The compiled model."""
        return self.compile_model() if self._model is None else self._model

    def compile_model(self, **overrides: Any) -> keras.Model:
        """Make the model, and compile it.

        overrides  arguments of `compile`, beside those of `get_compile_params` or in their place
        """
        self._model = self.get_model()
        self._model.compile(**{**self.get_compile_params(), **overrides})
        return self._model

    def fit(self, **overrides: Any) -> keras.callbacks.History:
        """Fit the model.

        overrides  arguments of `fit`, beside those of `get_fit_params` or in their place; callbacks are always beside
        """
        args, named = self.get_fit_params()
        callbacks = [each for given in (named, overrides) for each in _several(given.get("callbacks"))]
        return self.model.fit(*args, **{**named, **overrides, "callbacks": callbacks})

    def compute_sort_metric(self, **overrides: Any) -> float:
        """Train a new model, here, from end to end, as a trial would: the check before any scale.

        overrides  arguments of `fit`, e.g. `epochs=1`
        """
        self.compile_model()
        try:
            history = self.fit(**overrides)
        finally:
            self.finalize()
        return float(self.generate_sort_metric(float(self.get_fit_metric(history))))

    def _build(self, model: keras.Model) -> None:
        """One step, so that a model without an input sees from the rows how large it is; its effect is overwritten."""
        args, named = self.get_fit_params()
        others = {"callbacks": None, "validation_data": None, "validation_split": 0.0}
        model.fit(*args, **{**named, **others, "epochs": 1, "steps_per_epoch": 1, "verbose": 0})


def _several(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
