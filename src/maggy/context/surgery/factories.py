"""What a training function gets in place of the user's class or factory."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from maggy.ablation.components import Layers
from maggy.context.factory import subclass
from maggy.context.surgery.models import apply, is_keras, is_torch
from maggy.context.surgery.streams import fresh_names
from maggy.errors import AblationError


def ablated(factory: Callable[..., Any], removals: Sequence[Layers]) -> Callable[..., Any]:
    """The class or factory of a model, such that the models it makes are without some of their layers.

    A class stays a class, a subclass of the given one with its name and signature; a partial stays a partial; anything
    else that can be called becomes a function with its name and signature. Without removals it is what was given.

    Raises AblationError for a Keras class, for a class of no model, and for a model that was made already; what it
    returns raises AblationError where layers cannot be left out.
    """
    if not removals:
        return factory
    refuse(factory)
    if isinstance(factory, functools.partial):
        return functools.partial(ablated(factory.func, removals), *factory.args, **factory.keywords)
    if isinstance(factory, type):
        return _subclass(factory, tuple(removals))

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> Any:
        with fresh_names():
            model = factory(*args, **kwargs)
        return apply(model, removals)

    return make


def refuse(factory: Any) -> None:
    """Raise AblationError for what layers can be left out of only if it is given in another way."""
    if is_keras(factory) or is_torch(factory):
        raise AblationError(
            f"the model is an instance of {type(factory).__name__}; give its class, or a function that makes it, so "
            "that each trial gets a fresh one"
        )
    if not isinstance(factory, type):
        return
    if "keras" in sys.modules and issubclass(factory, sys.modules["keras"].Model):
        raise AblationError(
            f"{factory.__name__} is a subclassed Keras model: its layers are wired in Python code, where none can be "
            "left out. Give a function that returns a Functional or Sequential model, or study.model."
            "add_custom_model_generator for each model without a component"
        )
    if not ("torch" in sys.modules and issubclass(factory, sys.modules["torch"].nn.Module)):
        raise AblationError(
            f"{factory.__name__} is no class of PyTorch modules. Give one, or a function that returns a PyTorch module "
            "or a Keras model"
        )


@functools.lru_cache(maxsize=256)  # an instance that was pickled comes back as one of the same class
def _subclass(kind: Any, removals: tuple[Layers, ...]) -> type:
    def __reduce_ex__(self: Any, protocol: Any) -> Any:  # noqa: N807
        rebuild, arguments, *state = kind.__reduce_ex__(self, protocol)
        if arguments and arguments[0] is made:  # pickle would look for it by its name, which is the given class's
            rebuild, arguments = _blank, (kind, removals)
        return rebuild, arguments, *state

    made = subclass(kind, lambda model: apply(model, removals), __reduce_ex__=__reduce_ex__)
    return made


def _blank(kind: Any, removals: tuple[Layers, ...]) -> Any:
    made: Any = _subclass(kind, removals)
    return made.__new__(made)
