"""Training a Keras model rung by rung."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from maggy.errors import ConfigError
from maggy.seeds import seed_of
from maggy.tune.iterative import CheckpointFolder, IterativeObjectiveFunc
from maggy.tune.keras.spec import KerasTrainingSpec
from maggy.tune.models import SPACE_MODEL_NAME
from maggy.tune.trial import TrialReport

_EPOCH = "epoch"


class KerasObjective(IterativeObjectiveFunc):
    """Trains what a `KerasTrainingSpec` describes; a rung's budget is a number of epochs.

    specs  classes of these, by the dotted path that a candidate names

    First weights, dropout and the order of the rows follow from the trial and the number of the epoch, so that a search
    repeats, and training that goes on from a checkpoint is what it would have been without a pause.

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, specs: Mapping[str, type[KerasTrainingSpec]]) -> None:
        super().__init__()
        self._specs = dict(specs)
        self._spec: KerasTrainingSpec | None = None
        self._epoch = 0

    @property
    def spec(self) -> KerasTrainingSpec:
        """The spec of the running trial."""
        if self._spec is None:
            raise ConfigError("an objective has a spec only while it runs")
        return self._spec

    def generate_sort_metric(self, metric: float) -> float:
        return float(self.spec.generate_sort_metric(metric))

    def initialize(self) -> None:
        params = self.current_trial.params.simple_value
        self._spec = self._specs[params.pop(SPACE_MODEL_NAME)](params, self.current_trial.dfs)
        with self._own_chance():
            self._spec.compile_model()

    def run_single_rung(self, budget: float) -> TrialReport:
        epochs = int(budget)
        if epochs < 1 or epochs != budget:
            raise ConfigError(f"the budget of a rung is a whole number of epochs, from 1 up, got {budget}")
        import keras

        seeding = keras.callbacks.LambdaCallback(on_epoch_begin=self._begin_epoch)
        with self._own_chance():
            history = self.spec.fit(
                initial_epoch=self._epoch, epochs=self._epoch + epochs, callbacks=seeding, verbose=0
            )
        self._epoch += epochs
        return TrialReport(self.current_trial, self.spec.get_fit_metric(history), cost=epochs)

    def save_checkpoint(self, fs: CheckpointFolder) -> None:
        self.spec.save_checkpoint(fs, self.spec.model)
        fs.writetext(_EPOCH, str(self._epoch))

    def load_checkpoint(self, fs: CheckpointFolder) -> None:
        self._epoch = int(fs.readtext(_EPOCH))
        with self._own_chance():
            self.spec.load_checkpoint(fs, self.spec.model)

    def finalize(self) -> None:
        if self._spec is not None:
            self._spec.finalize()

    def _begin_epoch(self, epoch: int, logs: object = None) -> None:
        seed = self._seed(epoch)
        for index, variable in enumerate(self.spec.model.variables):
            if variable.name == "seed_generator_state":  # of dropout and the like, which no checkpoint has
                variable.assign([seed, index])

    def _seed(self, epoch: int) -> int:
        import keras

        seed = seed_of(0, self.current_trial.trial_id, epoch)
        keras.utils.set_random_seed(seed)
        return seed

    @contextmanager
    def _own_chance(self) -> Iterator[None]:
        """Puts Python's and numpy's global streams back afterwards; those of the backend stay seeded."""
        import numpy as np

        before = random.getstate(), np.random.get_state()  # noqa: NPY002
        self._seed(self._epoch)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002
