"""What an experiment was begun with, as a file in its folder, so that it can be resumed without the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cloudpickle

from maggy.context.task import dumps


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training function with everything that `lagom` was given.

    function  the training function
    config    the config, pickled before any policy in it was used, without its fixed arguments and its study
    fixed     these, by name, with handles for data
    engine    name of the engine
    """

    function: Callable[..., Any]
    config: bytes
    fixed: Mapping[str, Any]
    engine: str

    def thaw(self) -> Any:
        """The config as it was."""
        config = cloudpickle.loads(self.config)
        for name, value in self.fixed.items():
            setattr(config, name, value)
        return config


def pack_recipe(recipe: Recipe) -> bytes:
    """The pickled recipe. Raises whatever its parts raise when they are pickled."""
    return dumps(recipe)


def unpack_recipe(packed: bytes) -> Recipe:
    """The recipe from a file that the user trusts: unpickling runs whatever code it names."""
    recipe = cloudpickle.loads(packed)
    assert isinstance(recipe, Recipe)
    return recipe
