"""What every study of Optuna needs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import optuna
    from optuna.samplers import BaseSampler


def new_study(sampler: BaseSampler, objectives: int, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """A study that minimises."""
    import optuna

    with quiet():
        return optuna.create_study(
            study_name="maggy",
            storage=storage,
            sampler=sampler,
            directions=["minimize"] * objectives,
        )


def reseed(sampler: BaseSampler, rng: np.random.Generator) -> None:
    """Let all chance of a sampler come from `rng`, also that of the samplers that it holds."""
    import numpy as np
    from optuna.samplers import BaseSampler

    for value in vars(sampler).values():
        if isinstance(value, BaseSampler):
            reseed(value, rng)
        elif isinstance(stream := getattr(value, "rng", None), np.random.RandomState):
            stream.seed(int(rng.integers(2**32)))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's chatter and its warnings about experimental features to itself."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
