"""Samplers by name."""

from __future__ import annotations

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer.grid_search import GridSearch
from maggy.optimizer.random_search import RandomSearch
from maggy.optimizer.sampler import Sampler

SAMPLERS: dict[str, type[Sampler]] = {
    "randomsearch": RandomSearch,
    "random": RandomSearch,
    "gridsearch": GridSearch,
    "grid": GridSearch,
}


def sampler_named(value: object) -> Sampler:
    """Find the sampler that a name in any case means; a `Sampler`, or a class of one, is taken as it is.

    Raises UnknownNameError for an unknown name, ConfigError for anything else.
    """
    if isinstance(value, str):
        if value.lower() not in SAMPLERS:
            raise UnknownNameError("sampler", value, SAMPLERS)
        return SAMPLERS[value.lower()]()
    if isinstance(value, type) and issubclass(value, Sampler):
        return value()
    if isinstance(value, Sampler):
        if value.pruner is not None:
            raise ConfigError(f"a sampler within another optimizer has no pruner, got pruner={value.pruner!r}")
        return value
    raise ConfigError(f"sampler must be one of {', '.join(map(repr, SAMPLERS))} or a Sampler, got {value!r}")
