"""Surgery on a model of either framework."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from maggy.ablation.components import Layers
from maggy.context.surgery import keras, torch
from maggy.context.surgery.streams import unchanged_streams
from maggy.errors import AblationError


def is_keras(model: object) -> bool:
    """Whether this is a Keras model; Keras is not imported for it."""
    return "keras" in sys.modules and isinstance(model, sys.modules["keras"].Model)


def is_torch(model: object) -> bool:
    """Whether this is a PyTorch module; PyTorch is not imported for it."""
    return "torch" in sys.modules and isinstance(model, sys.modules["torch"].nn.Module)


def names(model: Any) -> list[str]:
    """What can be left out of a model, in the order of its layers.

    Of a Keras model: the names of its layers without inputs; a layer of a nested model comes after that model, as
    "encoder/dense". Of a PyTorch module: the dotted names of its modules, as `named_modules` has them. One that is
    reached by several names has them all.

    Raises AblationError for what is no such model, and for a Keras model whose layers cannot be rewired.
    """
    return keras.names(model) if _is_known_keras(model) else torch.names(model)


def matching(model: Any, layers: Layers) -> list[str]:
    """The names that a component's patterns stand for, without what lies inside of another of them.

    An exact name comes first, then a shell pattern, then both in other upper and lower case. In Keras a shell pattern
    passes over layers that make the model's output, unless they are only frozen or get fresh weights.

    Raises AblationError where a pattern stands for nothing; it has close matches.
    """
    return keras.matching(model, layers) if _is_known_keras(model) else torch.matching(model, layers)


def apply(model: Any, removals: Sequence[Layers]) -> Any:
    """The model without some of its layers.

    Of a Keras model this is a new one, whose layers have the weights of the given one wherever their shapes are still
    the same; how it was compiled is kept. A PyTorch module is changed in place and returned. Global random streams are
    as before, so that what is drawn next is what the whole model would have got.

    Raises AblationError where a layer does not exist, the rest of a Keras model cannot work, or nothing would change.
    """
    with unchanged_streams():
        return keras.apply(model, removals) if _is_known_keras(model) else torch.apply(model, removals)


def _is_known_keras(model: Any) -> bool:
    if is_keras(model):
        return True
    if is_torch(model):
        return False
    kind = type(model)
    raise AblationError(
        f"layers can be left out of Keras 3 models and of PyTorch modules; this is a {kind.__module__}.{kind.__name__}"
    )
