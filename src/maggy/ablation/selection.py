"""What of the features, layers and switches of a study is to be left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

from maggy.ablation.components import HOWS, Component, CustomModel, Features, How, Layers, Switch
from maggy.errors import AblationError, UnknownNameError


class _Selection:
    """Components in the order in which they were included, each once."""

    def __init__(self) -> None:
        self._chosen: dict[Hashable, Component] = {}

    def __iter__(self) -> Iterator[Component]:
        return iter(self._chosen.values())

    def __len__(self) -> int:
        return len(self._chosen)

    def list_all(self) -> list[str]:
        """The names of all that is included, in that order."""
        return [component.name for component in self]

    def print_all(self) -> None:
        """Print the names of all that is included, one in a line."""
        for name in self.list_all():
            print(name)


class FeatureSelection(_Selection):
    """The features that are left out, one at a time or in groups."""

    def include(self, *names: str | int | Iterable[str | int], fill: float | None = None) -> None:
        """Leave each of these out, on its own.

        names  columns; or positions, where columns have no names. A list stands for what is in it
        fill   what stands in the column's place, for a model that takes a fixed number of columns; None: it is gone
        """
        for name in _each(names):
            self._chosen[name, fill] = _features((name,), fill)

    def exclude(self, *names: str | int | Iterable[str | int]) -> None:
        """Take back what was included. Raises UnknownNameError for what was not."""
        for name in _each(names):
            self._take_back(name, name)

    def include_groups(
        self,
        *groups: Iterable[str | int],
        prefix: str | None = None,
        name: str | None = None,
        fill: float | None = None,
    ) -> None:
        """Leave the columns of each group out together.

        groups  each a list of at least two columns
        prefix  stands for all columns that begin so, e.g. "mean "
        name    what results call it, if it is one group; None: its columns
        fill    see `include`
        """
        for group in _groups(groups, prefix, name):
            self._chosen[frozenset(group), fill] = _features(group, fill, name)

    def exclude_groups(self, *groups: Iterable[str | int], prefix: str | None = None) -> None:
        """Take back groups that were included. Raises UnknownNameError for what was not."""
        for group in _groups(groups, prefix):
            self._take_back(frozenset(group), _joined(group))

    def _take_back(self, key: Hashable, name: object) -> None:
        known = [each for each in self._chosen if isinstance(each, tuple) and each[0] == key]
        if not known:
            raise UnknownNameError("feature of this study", name, self.list_all())
        for each in known:
            del self._chosen[each]


class LayerSelection(_Selection):
    """The layers of a Keras model, or the modules of a PyTorch one, that are left out, one at a time or in groups."""

    def include(self, *names: str | Iterable[str], how: How = "identity") -> None:
        """Leave each of these out, on its own.

        names  of layers, dotted for PyTorch modules; a pattern such as "block1.*" stands for all that match, left out
               together. A list stands for what is in it
        how    "identity": the input passes through; "zero": the output is zeros; "freeze": the weights stay as they
               were made; "reinit": weights that were loaded are made afresh
        """
        for name in _each(names):
            self._add((name,), name, how)

    def exclude(self, *names: str | Iterable[str]) -> None:
        """Take back what was included. Raises UnknownNameError for what was not."""
        for name in _each(names):
            self._take_back((name,), name)

    def include_groups(
        self,
        *groups: Iterable[str],
        prefix: str | None = None,
        name: str | None = None,
        how: How = "identity",
    ) -> None:
        """Leave the layers of each group out together.

        groups  each a list of at least two names or patterns
        prefix  stands for all layers whose names begin so, e.g. "my_dense"
        name    what results call it, if it is one group; None: its layers
        how     see `include`
        """
        for group in _groups(groups, prefix, name):
            self._add(group, name or _joined(group), how)

    def exclude_groups(self, *groups: Iterable[str], prefix: str | None = None) -> None:
        """Take back groups that were included. Raises UnknownNameError for what was not."""
        for group in _groups(groups, prefix):
            self._take_back(group, _joined(group))

    def print_all_groups(self) -> None:
        """Print the groups that are included, one in a line."""
        for component in self:
            if isinstance(component, Layers) and (len(component.patterns) > 1 or "*" in component.patterns[0]):
                print(component.name)

    def _add(self, patterns: tuple[str, ...], name: str, how: How) -> None:
        if how not in HOWS:
            raise UnknownNameError("way to leave a layer out", how, HOWS)
        if not all(isinstance(pattern, str) and pattern for pattern in patterns):
            raise AblationError(f"a layer is named by text, got {patterns!r}")
        label = name if how == "identity" else f"{name} ({how})"
        self._chosen[frozenset(patterns), how] = Layers(name=label, patterns=patterns, how=how)

    def _take_back(self, patterns: tuple[str, ...], name: str) -> None:
        keys = [(frozenset(patterns), how) for how in HOWS]
        if not [key for key in keys if self._chosen.pop(key, None) is not None]:
            raise UnknownNameError("layer of this study", name, self.list_all())


class ComponentSelection(_Selection):
    """What else can be switched off: a hyperparameter, a term of the loss, an augmentation, a part of the data."""

    def include(self, *names: str, off: Any, argument: str | None = None) -> None:
        """Switch each of these off, on its own.

        names     arguments of the training function: hyperparameters, or model, dataset, train_set, test_set
        off       the value without it, e.g. False, 0.0, None, or another table for `train_set`
        argument  the argument, where the component has a name of its own, e.g. `include("weekends", off=weekdays,
                  argument="train_set")`
        """
        if argument is not None and len(names) != 1:
            raise AblationError(f"argument={argument!r} goes with one name, got {len(names)}")
        for name in names:
            if not isinstance(name, str) or not name:
                raise AblationError(f"a component is named by text, got {name!r}")
            self._chosen[name] = Switch(name=name, argument=argument or name, off=off)

    def exclude(self, *names: str) -> None:
        """Take back what was included. Raises UnknownNameError for what was not."""
        for name in names:
            if self._chosen.pop(name, None) is None:
                raise UnknownNameError("component of this study", name, self.list_all())

    def of(self, arguments: Collection[str]) -> list[Switch]:
        """Those that take the place of one of these arguments."""
        return [each for each in self if isinstance(each, Switch) and each.argument in arguments]

    def with_values(self, values: Mapping[str, Any]) -> ComponentSelection:
        """A copy in which some have another value, by the name of the component."""
        changed = ComponentSelection()
        changed._chosen = {
            name: replace(each, off=values[each.name]) if isinstance(each, Switch) and each.name in values else each
            for name, each in self._chosen.items()
        }
        return changed


class ModelSelection:
    """The model of a study.

    layers     what of it is left out
    generator  makes the whole model; None: the config's `model` does
    customs    models that do without something, see `add_custom_model_generator`
    sample     a batch of inputs, see `set_sample`
    arguments  what the model is made with there
    """

    def __init__(self) -> None:
        self.layers = LayerSelection()
        self.generator: Callable[..., Any] | None = None
        self.customs: list[CustomModel] = []
        self.sample: Any = None
        self.arguments: dict[str, Any] = {}

    def set_base_model_generator(self, generator: Callable[..., Any]) -> None:
        """Say what makes the whole model: a class or a function. The training function gets it, or what is left of it,
        as `model` and as `model_function`, and calls it."""
        if not callable(generator):
            raise AblationError(f"a model generator is a function or a class, got {type(generator).__name__}")
        self.generator = generator

    def add_custom_model_generator(self, generator: Callable[..., Any], identifier: str) -> None:
        """Train another model too, and compare it with the base.

        identifier  what it does without, as results call it
        """
        if not callable(generator):
            raise AblationError(f"a model generator is a function or a class, got {type(generator).__name__}")
        self.customs.append(CustomModel(name=identifier, generator=generator))

    def set_sample(self, sample: Any, **arguments: Any) -> None:
        """Give what is needed to make the model and run it once, before anything starts, to see whether layers can be
        left out.

        sample     a batch of inputs: a tensor, a tuple of them, a dict of keyword inputs, or a function that gives it
        arguments  what the model is made with, if it takes arguments
        """
        self.sample, self.arguments = sample, arguments


def _each(names: Iterable[Any]) -> Iterator[Any]:
    for name in names:
        if isinstance(name, str | Integral):
            yield _key(name)
        elif isinstance(name, Iterable):
            yield from map(_key, name)
        else:
            _key(name)  # which raises


def _key(name: Any) -> Any:
    """A name as it is, a position as an int; NumPy has numbers of its own."""
    if isinstance(name, str) and name:
        return name
    if isinstance(name, Integral):
        return int(name)
    raise AblationError(f"what is left out is named by text, or columns by their position, got {name!r}")


def _groups(groups: Sequence[Iterable[Any]], prefix: str | None, name: str | None = None) -> Iterator[tuple[Any, ...]]:
    if name is not None and len(groups) + (prefix is not None) != 1:
        raise AblationError(f"name={name!r} goes with one group, got {len(groups) + (prefix is not None)}")
    for group in groups:
        members = tuple(dict.fromkeys(_each([group])))
        if len(members) < 2:
            raise AblationError(f"a group has at least two members, got {members!r}; a single one goes into include()")
        yield members
    if prefix is not None:
        if not isinstance(prefix, str) or not prefix:
            raise AblationError(f"a prefix is text, got {prefix!r}")
        yield (f"{prefix}*",)


def _features(columns: tuple[str | int, ...], fill: float | None, name: str | None = None) -> Features:
    if fill is not None and not isinstance(fill, Real):
        raise AblationError(f"fill is a number that stands in the place of a column, got {fill!r}")
    name = name or _joined(columns)
    return Features(name=name if fill is None else f"{name} = {fill:g}", columns=columns, fill=fill)


def _joined(group: Iterable[object]) -> str:
    return ", ".join(map(str, group))
