"""What is left out together, and what is compared with what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import combinations, pairwise
from typing import Any

from maggy.ablation.abstract import AbstractAblator
from maggy.ablation.components import (
    BASE,
    Component,
    Contrast,
    CustomModel,
    Design,
    Features,
    Layers,
    Switch,
    Variant,
    stands_for,
)
from maggy.arguments import KeepsArguments
from maggy.errors import AblationError, ConfigError, UnknownNameError

NOTHING = "nothing"
"""Name of the variant of which everything is left out."""


class Ablator(KeepsArguments, ABC):
    """Decides which variants of the training are compared."""

    def design(self, components: Sequence[Component]) -> Design:
        """Say which variants are trained, and how they are compared.

        components  of the study, in the order in which they were included; no two have the same name

        Raises AblationError if there is nothing to leave out, or if this design has to leave out together what cannot
        be; UnknownNameError for a name that no component has.
        """
        if not components:
            raise AblationError(
                "the study has nothing to leave out; include a component, e.g. study.features.include('fare')"
            )
        design = self.make_design(components)
        for kind, named in (("variants", design.variants), ("effects", design.contrasts)):
            for name, count in Counter(each.name for each in named).items():
                if count > 1:
                    raise AblationError(f"two {kind} would be called {name!r}; give a component another name", name)
        variants = dict.fromkeys(variant.name for variant in design.variants)
        for name in (name for contrast in design.contrasts for name in contrast.weights):
            if name not in variants:
                raise UnknownNameError("variant of this design", name, variants)
        return design

    @abstractmethod
    def make_design(self, components: Sequence[Component]) -> Design:
        """The same, for at least one component."""


class LOCO(Ablator):
    """Leaves one component out at a time: how much is each worth while all others are there?

    Trains the base and one variant for each component. An effect is what changes without the component.
    """

    def make_design(self, components: Sequence[Component]) -> Design:
        return Design(
            variants=[Variant(name=BASE), *map(_without, components)],
            contrasts=[_difference(each.name, _without(each).name, BASE) for each in components],
        )


class LeaveTwoOut(Ablator):
    """Leaves out one component, and two, at a time: which of them stand in for each other, or need each other?

    Trains the base, one variant for each component and one for each pair. Beside the effects of `LOCO` there is the
    interaction of each pair, called "a x b": the effect of leaving out both, less the effects of leaving out either.
    Pairs that cannot be left out together are not among them: two models, a model and layers, two values of one
    argument, and what stands for the same columns or layers.

    pairs  the only pairs of interest, by name; None: all. A pair that cannot be left out together is then an error
    """

    def __init__(self, pairs: Sequence[tuple[str, str]] | None = None) -> None:
        self._pairs = None if pairs is None else [pair if isinstance(pair, str) else tuple(pair) for pair in pairs]
        for pair in self._pairs or []:
            if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
                raise ConfigError(f"pairs must be pairs of two names, e.g. [('fare', 'age')], got {pair!r}")

    def make_design(self, components: Sequence[Component]) -> Design:
        variants = [Variant(name=BASE), *map(_without, components)]
        contrasts = [_difference(each.name, _without(each).name, BASE) for each in components]
        for one, other in self._chosen(components):
            both = _without(one, other)
            variants.append(both)
            weights = {both.name: 1.0, _without(one).name: -1.0, _without(other).name: -1.0, BASE: 1.0}
            contrasts.append(Contrast(name=f"{one.name} x {other.name}", weights=weights))
        return Design(variants=variants, contrasts=contrasts)

    def _chosen(self, components: Sequence[Component]) -> list[tuple[Component, Component]]:
        pairs = list(combinations(components, 2))
        if self._pairs is not None:
            asked = {frozenset(each.name for each in _by_name(pair, components)) for pair in self._pairs}
            pairs = [(one, other) for one, other in pairs if {one.name, other.name} in asked]
            for pair in pairs:
                _check_together(pair, "leave-two-out is to leave out a pair", "Take that pair out of `pairs`")
        possible = [(one, other) for one, other in pairs if _conflict(one, other) is None]
        if not possible:
            raise AblationError(
                "leave-two-out needs two components that can be left out together, and this study has none; "
                "use ablator='loco'"
            )
        return possible


class AddOneIn(Ablator):
    """Leaves out everything, then all but one component: how much is each worth on its own?

    Trains a variant without any component, "nothing", and one for each component. An effect is what changes when the
    component is added to nothing. Together with `LOCO` it shows what is useful but replaceable: much on its own, and
    little lost without it.
    """

    def make_design(self, components: Sequence[Component]) -> Design:
        _check_together(components, "add-one-in leaves out everything at once", _ADVICE)
        nothing = Variant(name=NOTHING, without=tuple(components))
        alone = [
            Variant(name=f"only {each.name}", without=tuple(other for other in components if other is not each))
            for each in components
        ]
        return Design(
            variants=[nothing, *alone],
            contrasts=[
                _difference(each.name, only.name, NOTHING) for each, only in zip(components, alone, strict=True)
            ],
        )


class Cumulative(Ablator):
    """Leaves out one component after the other, until all are gone: how much can be done without?

    Trains the base and one variant for each step. An effect is what changes from the step before, so it depends on the
    order.

    order  names of all components, the first to go first; None: as they were included
    """

    def __init__(self, order: Sequence[str] | None = None) -> None:
        self._order = None if order is None else [order] if isinstance(order, str) else list(order)

    def make_design(self, components: Sequence[Component]) -> Design:
        steps = list(components) if self._order is None else _by_name(self._order, components)
        names = [step.name for step in steps]
        if sorted(names) != sorted(each.name for each in components):
            missing = ", ".join(repr(each.name) for each in components if each.name not in names) or "none"
            raise AblationError(
                f"the order of the cumulative design has to name each component once, got {names}; missing: {missing}"
            )
        _check_together(steps, "the cumulative design leaves out everything in the end", _ADVICE)
        variants = [Variant(name=BASE), *(_without(*steps[: count + 1]) for count in range(len(steps)))]
        return Design(
            variants=variants,
            contrasts=[
                _difference(name, after.name, before.name)
                for name, (before, after) in zip(names, pairwise(variants), strict=True)
            ],
        )


_ADVICE = "Leave one of them out of the study, or use ablator='loco' or 'leave-two-out'"

BY_NAME: dict[str, type[Ablator]] = {
    "loco": LOCO,
    "leave-two-out": LeaveTwoOut,
    "add-one-in": AddOneIn,
    "cumulative": Cumulative,
}


def resolve(ablator: object) -> Ablator | AbstractAblator:
    """Find the ablator that a config means.

    ablator  a name in any case, with or without its hyphens, an `Ablator` or `AbstractAblator`, or a class of one that
             is made without arguments

    Raises UnknownNameError for an unknown name, ConfigError for anything else.
    """
    if isinstance(ablator, str):
        plain = ablator.lower().replace("-", "").replace("_", "")
        for name, known in BY_NAME.items():
            if name.replace("-", "") == plain:
                return known()
        raise UnknownNameError("ablator", ablator, BY_NAME)
    if isinstance(ablator, type) and issubclass(ablator, Ablator | AbstractAblator):
        ablator = ablator()
    if isinstance(ablator, Ablator | AbstractAblator):
        return ablator
    raise ConfigError(
        f"ablator must be one of {', '.join(map(repr, BY_NAME))}, an Ablator or an AbstractAblator, got {ablator!r}"
    )


def _without(*components: Component) -> Variant:
    return Variant(name=f"without {_listed([each.name for each in components])}", without=components)


def _difference(name: str, of: str, to: str) -> Contrast:
    return Contrast(name=name, weights={of: 1.0, to: -1.0})


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _by_name(names: Sequence[str], components: Sequence[Component]) -> list[Component]:
    known = {each.name: each for each in components}
    for name in names:
        if name not in known:
            raise UnknownNameError("component of this study", name, known)
    return [known[name] for name in names]


def _check_together(components: Sequence[Component], who: str, advice: str) -> None:
    for one, other in combinations(components, 2):
        if reason := _conflict(one, other):
            raise AblationError(
                f"{who}, but {one.name!r} and {other.name!r} cannot be left out together: {reason}. {advice}.",
                other.name,
            )


def _conflict(one: Component, other: Component) -> str | None:
    """Why the two cannot be left out together, as far as can be told without model and data."""
    replaced = [_replaces(each) for each in (one, other)]
    if replaced[0] is not None and replaced[0] == replaced[1]:
        return f"both replace the {replaced[0]!r} of the training function"
    if "model" in replaced and any(isinstance(each, Layers) for each in (one, other)):
        return "one replaces the model, which the other takes layers from"
    for kind, what, overlap in ((Features, "column", stands_for), (Layers, "layer", _same_layers)):
        if isinstance(one, kind) and isinstance(other, kind):
            for mine in _parts(one):
                if any(overlap(mine, its) or overlap(its, mine) for its in _parts(other)):
                    return f"both leave out the {what} {mine!r}"
    return None


def _same_layers(pattern: Any, name: Any) -> bool:
    """Whether a pattern stands for a layer, or for one that it lies in."""
    within = [name[:at] for at, character in enumerate(name) if character in "./"]
    return any(outer == pattern or fnmatchcase(outer, pattern) for outer in (name, *within))


def _replaces(component: Component) -> str | None:
    """The argument of the training function that becomes another one as a whole."""
    if isinstance(component, CustomModel):
        return "model"
    return component.argument if isinstance(component, Switch) else None


def _parts(component: Features | Layers) -> Sequence[str | int]:
    """The columns or layers that it names; patterns among them stay what they are."""
    return component.columns if isinstance(component, Features) else component.patterns
