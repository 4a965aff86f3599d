"""Spaces of models, and models from what was chosen in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maggy.errors import ConfigError
from maggy.searchspace import Space
from maggy.tune.models import SPACE_MODEL_NAME, imported, model_space

SEED = 0
"""Of everything that scikit-learn would leave to numpy's global stream."""


def sk_space(model: type | str, **params: Any) -> Space:
    """A space of one model; `+` joins those of several.

    model   a class with `fit` and `predict`, of scikit-learn, XGBoost, LightGBM or one's own, or its dotted path
    params  of its constructor: values or expressions

    Source: Fugue-Tune's function of this name.

    Raises ConfigError where there is no such class, or it is no model.
    """
    found = imported(model) if isinstance(model, str) else model
    if not isinstance(found, type) or not all(callable(getattr(found, name, None)) for name in ("fit", "predict")):
        raise ConfigError(f"a model is a class with fit and predict, e.g. sklearn.linear_model.Ridge, got {model!r}")
    return model_space(found, params)


class Models:
    """Makes models.

    classes  by dotted path
    """

    def __init__(self, classes: Mapping[str, type]) -> None:
        self.classes = dict(classes)

    def make(self, params: Mapping[str, Any], keys: Sequence[Any]) -> Any:
        """The model of a configuration, for a partition. Chance that it leaves open is seeded, so that it repeats."""
        given = dict(params)
        model = self.classes[given.pop(SPACE_MODEL_NAME)](**given)
        if hasattr(model, "get_params"):
            open_chance = {
                name: SEED
                for name, value in model.get_params().items()
                if name.rpartition("__")[2] == "random_state" and value is None and name not in given
            }
            if open_chance:
                model.set_params(**open_chance)
        return model

    def describe(self, params: Mapping[str, Any], keys: Sequence[Any]) -> dict[str, Any]:
        """What a report says was tried."""
        return dict(params)
