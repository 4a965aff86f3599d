"""Telling, before anything starts, whether a model works without some of its layers."""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any

from maggy.ablation.components import Layers
from maggy.context.surgery import keras, torch_inspection
from maggy.context.surgery.factories import refuse
from maggy.context.surgery.models import is_keras, matching, names
from maggy.context.surgery.streams import fresh_names, unchanged_streams
from maggy.errors import AblationError


class Checker:
    """Checks of one model, which is made here and now.

    factory    the class or function that makes the model
    arguments  what it is called with, by name
    sample     a batch of inputs: a tensor or an array, a tuple of several, a dict of inputs by name, or a function that
               returns one of these. PyTorch needs it to follow the data through the model, and so does a Keras
               Sequential model without an Input.

    The model is made with the random streams as they are, and these are left as they were. Of a PyTorch module a fresh
    one is made for each check.

    Raises AblationError where the model cannot be made, cannot take the sample, or is not of a kind that layers can be
    left out of.
    """

    def __init__(
        self, factory: Callable[..., Any], arguments: Mapping[str, Any] | None = None, sample: Any = None
    ) -> None:
        refuse(factory)
        self._factory, self._arguments = factory, dict(arguments or {})
        with unchanged_streams():
            model = self._make()
            batch = sample() if callable(sample) else sample
            if is_keras(model):
                self._inspection: Any = keras.Inspection(model, batch)
            else:
                names(model)  # which says it of what is no model
                self._inspection = torch_inspection.Inspection(model, self._make, batch)
        self._model = model

    @property
    def names(self) -> list[str]:
        """What can be left out."""
        return names(self._model)

    def matching(self, layers: Layers) -> list[str]:
        """What a component's patterns stand for. Raises AblationError where it is nothing."""
        return matching(self._model, layers)

    def check(self, removals: Sequence[Layers]) -> None:
        """Raise AblationError if the model cannot work without these layers, or is the same without them."""
        self._refuse_overlap(removals)
        with unchanged_streams():
            ablated = self._inspection.check(removals)
            for layers in removals:
                if layers.how == "reinit":
                    self._check_loaded(layers, ablated)

    def _refuse_overlap(self, removals: Sequence[Layers]) -> None:
        """What is left out twice is worth nothing the second time. Names do not tell all of it before there is a model:
        a PyTorch module may have several, and two patterns a layer in common."""
        for pair in permutations(removals, 2):
            (found, mine), (_, its) = ((names, self._inspection.within(names)) for names in map(self.matching, pair))
            if both := [name for key, name in mine.items() if name in found and key in its]:
                one, other = (layers.name for layers in pair)
                raise AblationError(
                    f"{one!r} and {other!r} cannot be left out together: both leave out {both[0]!r}. Take one of them "
                    f"out of the study, or use ablator='loco'",
                    one,
                )

    def _check_loaded(self, layers: Layers, ablated: Any) -> None:
        """Fresh weights make a difference only to those that were the same each time the model is made."""
        found = matching(self._model, layers)
        inspection = self._inspection
        one, other, fresh = (inspection.weights(model, found) for model in (self._model, self._other, ablated))
        common = one.keys() & other.keys() & fresh.keys()
        loaded = [name for name in common if inspection.is_equal(one[name], other[name])]
        if all(inspection.is_equal(one[name], fresh[name]) for name in loaded):
            raise AblationError(
                f"how='reinit' would change nothing: the weights of {', '.join(map(repr, found))} are drawn afresh "
                "anyway when the model is made. It is for a factory that loads trained weights",
                component=layers.name,
            )

    @functools.cached_property
    def _other(self) -> Any:
        """The model as other seeds would make it."""
        random.seed(1)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(1)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(1)
        return self._make()

    def _make(self) -> Any:
        try:
            with fresh_names():
                return self._factory(**self._arguments)
        except Exception as error:
            raise AblationError(
                f"the model cannot be made, which is needed to check what is left out of it: "
                f"{type(error).__name__}: {error}. Arguments that it takes go with the sample: "
                f"study.model.set_sample(batch, width=16)"
            ) from error


def check(
    factory: Callable[..., Any],
    removals: Sequence[Layers],
    *,
    arguments: Mapping[str, Any] | None = None,
    sample: Any = None,
) -> None:
    """Make the model once, and raise AblationError if it cannot work without these layers; see `Checker`."""
    Checker(factory, arguments, sample).check(removals)
