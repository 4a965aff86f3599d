"""What an ablation study can leave out, and what a trial leaves out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

How = Literal["identity", "zero", "freeze", "reinit"]
"""What becomes of a layer: its input passes through unchanged; its output is zeros; it keeps the weights that it was
made with; or it gets fresh ones."""

HOWS: tuple[str, ...] = get_args(How)

BASE = "base"
"""Name of the variant of which nothing is left out."""

ABLATED_FEATURE, ABLATED_LAYER = "ablated_feature", "ablated_layer"
"""What a trial of the developer API says that it leaves out."""

OF_THE_STUDY = frozenset({"variant", "repeat", ABLATED_FEATURE, ABLATED_LAYER})
"""Entries of a trial's parameters that are not the training function's business."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """A part of the training that can be left out.

    name  what it is called in trials, tables and plots; no two components of a study have the same
    """

    name: str


@dataclass(frozen=True, kw_only=True)
class Features(Component):
    """Columns of the data.

    columns  names, or positions where columns have none; "mean *" stands for all that begin so
    fill     what stands in their place, so that the data keeps its width; None: they are gone
    """

    columns: tuple[str | int, ...]
    fill: float | None = None


def stands_for(key: str | int, column: str | int) -> bool:
    """Whether an entry of `Features.columns` stands for a column: it is its name, or "mean *" and the name begins so.

    Nothing but the star at the end has a meaning: brackets and question marks are common in names of columns.
    """
    if str(key) == str(column):
        return True
    return isinstance(key, str) and key.endswith("*") and str(column).startswith(key[:-1])


@dataclass(frozen=True, kw_only=True)
class Layers(Component):
    """Layers of a Keras model, or modules of a PyTorch one.

    patterns  names, dotted in PyTorch; shell patterns such as "block1.*" stand for all that match
    how       what becomes of them
    """

    patterns: tuple[str, ...]
    how: How = "identity"


@dataclass(frozen=True, kw_only=True)
class CustomModel(Component):
    """What another model does without.

    generator  makes that model, called as the base model's is
    """

    generator: Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Switch(Component):
    """An argument of the training function that can be switched off.

    argument  its name: a hyperparameter, or one of model, dataset, train_set and test_set
    off       its value without this component
    """

    argument: str
    off: Any


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The training with some of the components left out.

    name     what it is called, e.g. "base", "without fare"
    without  what is left out
    """

    name: str
    without: tuple[Component, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A comparison of variants: the sum of their metrics, each times its weight, is an effect.

    name     the component, or the components, whose effect it is
    weights  by name of the variant, e.g. {"without fare": 1, "base": -1}
    """

    name: str
    weights: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Which variants are trained, and how they are compared.

    variants   the base, of which nothing is left out, is the first wherever there is one
    contrasts  the effects that are reported
    """

    variants: Sequence[Variant]
    contrasts: Sequence[Contrast]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, with names in place of components."""
        return {
            "variants": {variant.name: [each.name for each in variant.without] for variant in self.variants},
            "contrasts": {contrast.name: dict(contrast.weights) for contrast in self.contrasts},
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Design:
        """What `to_dict` has told; of a component no more than its name."""
        return cls(
            variants=[
                Variant(name=name, without=tuple(Component(name=each) for each in without))
                for name, without in told["variants"].items()
            ],
            contrasts=[Contrast(name=name, weights=weights) for name, weights in told["contrasts"].items()],
        )
