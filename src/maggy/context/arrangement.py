"""What the training function of an ablation trial gets, and whether anything in the study cannot be left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

from maggy.ablation.abstract import AbstractAblator
from maggy.ablation.components import (
    ABLATED_FEATURE,
    ABLATED_LAYER,
    OF_THE_STUDY,
    Component,
    CustomModel,
    Features,
    Layers,
    Switch,
    Variant,
)
from maggy.ablation.stores import FeatureStore
from maggy.config import DATA_ARGUMENTS
from maggy.context import surgery
from maggy.context.data import resolve
from maggy.context.features import check_columns, leave_out_of, remaining
from maggy.errors import AblationError

C = TypeVar("C", bound=Component)


@dataclass(frozen=True)
class StoredDataset:
    """A training dataset of a feature store.

    store          has it
    name, version  what it is called there
    columns        what it had when the experiment began
    """

    store: FeatureStore
    name: str
    version: int | None
    columns: Sequence[str]

    def read(self, features: Sequence[Features], label: str | None) -> Any:
        """The data without some of its columns."""
        columns = remaining(self.columns, features, label, name=self.name)
        data = self.store.read(self.name, self.version, columns)
        filled = [each for each in features if each.fill is not None]
        return leave_out_of({self.name: data}, filled, label=label)[self.name]


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """A study, as a worker needs it.

    variants    what is left out of what, by name
    components  everything that can be, by name; an ablator of the developer API names them
    label       the column that stays in any case
    ablator     one of the developer API, which may make models and data itself
    stored      the data, if a feature store has it
    """

    variants: Mapping[str, Variant]
    components: Mapping[str, Component]
    label: str | None
    ablator: AbstractAblator | None = None
    stored: StoredDataset | None = None

    def without(self, params: Mapping[str, Any]) -> tuple[Component, ...]:
        """What a trial leaves out."""
        variant = self.variants.get(str(params.get("variant")))
        if variant is not None:
            return variant.without
        left_out: list[Component] = []
        if (feature := params.get(ABLATED_FEATURE)) is not None:
            named = self.components.get(feature)
            left_out.append(named if isinstance(named, Features) else Features(name=feature, columns=(feature,)))
        if (layer := params.get(ABLATED_LAYER)) is not None:
            named = self.components.get(layer)
            left_out.append(named if isinstance(named, Layers) else Layers(name=layer, patterns=(layer,)))
        return tuple(left_out)

    def data(self) -> Iterator[Any]:
        """What replaces data of the config, as handles."""
        for variant in self.variants.values():
            yield from (switch.off for switch in _of(Switch, variant.without))

    def arrange(
        self, params: Mapping[str, Any], fixed: Mapping[str, Callable[[], Any]]
    ) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
        """The hyperparameters and the fixed arguments of a trial.

        params  what the trial was suggested with
        fixed   those fixed arguments of the whole training that the function takes; called when they are needed
        """
        without = self.without(params)
        hparams = {name: value for name, value in params.items() if name not in OF_THE_STUDY}
        arranged = dict(fixed)
        for switch in _of(Switch, without):
            if switch.argument in fixed:
                arranged[switch.argument] = partial(resolve, switch.off)
            else:
                hparams[switch.argument] = switch.off
        self._arrange_data(params, _of(Features, without), arranged)
        self._arrange_model(params, without, arranged)
        return hparams, arranged

    def _arrange_data(
        self, params: Mapping[str, Any], features: Sequence[Features], arranged: dict[str, Callable[[], Any]]
    ) -> None:
        made = self.ablator and self.ablator.get_dataset_generator(params.get(ABLATED_FEATURE))
        if made:
            arranged["dataset"] = _always(made)
            return
        if self.stored is not None:
            arranged["dataset"] = partial(self.stored.read, features, self.label)
            return
        whole = {name: arranged[name] for name in DATA_ARGUMENTS if name in arranged}

        @cache
        def reduced() -> dict[str, Any]:
            data = {name: make() for name, make in whole.items()}
            return leave_out_of(data, features, label=self.label)

        for name in whole:
            arranged[name] = lambda name=name: reduced()[name]  # type: ignore[misc]

    def _arrange_model(
        self, params: Mapping[str, Any], without: Sequence[Component], arranged: dict[str, Callable[[], Any]]
    ) -> None:
        made = self.ablator and self.ablator.get_model_generator(params.get(ABLATED_LAYER))
        if made:
            arranged["model"] = _always(made)
            return
        for custom in _of(CustomModel, without):
            arranged["model"] = _always(custom.generator)
        if layers := _of(Layers, without):
            base = arranged["model"]()
            arranged["model"] = _always(surgery.ablated(base, layers))


def check_features(features: Sequence[Features], data: Mapping[str, Any], label: str | None) -> None:
    """Refuse columns that are not there or cannot go together, as far as that can be told without making the data.

    data  of the config, by name

    Raises AblationError.
    """
    if not data:
        raise AblationError(
            f"feature {features[0].name!r} cannot be left out, because the study has no data: give the config a "
            f"dataset, train_set or test_set, or the study a dataset generator or a feature store",
            features[0].name,
        )
    for name, value in data.items():
        check_columns(value, features, label, name)


def _of(kind: type[C], components: Sequence[Component]) -> list[C]:
    return [component for component in components if isinstance(component, kind)]


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value
