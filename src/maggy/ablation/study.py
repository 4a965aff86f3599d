"""What an ablation study leaves out, and of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from maggy.ablation.components import Component, CustomModel, Features, Layers, Switch
from maggy.ablation.selection import ComponentSelection, FeatureSelection, ModelSelection
from maggy.errors import AblationError

if TYPE_CHECKING:
    from maggy.ablation.stores import FeatureStore


class AblationStudy:
    """Parts of the data, the model and the training whose effect is to be known.

    training_dataset_name     of the data: in a feature store, or free where the config has the data
    training_dataset_version  of the data
    label_name                the column to be predicted, which is never left out
    dataset_generator         makes the data, see `set_dataset_generator`
    feature_store             has the data; None: the config has it, or a generator makes it, or it lies as Parquet in
                              the working directory, see `ParquetStore`

    features    columns to leave out, e.g. `study.features.include("fare", "age")`
    model       the model, and layers to leave out, e.g. `study.model.layers.include_groups(prefix="my_dense")`
    components  arguments of the training function to switch off, e.g. `study.components.include("mixup", off=False)`
    """

    def __init__(
        self,
        training_dataset_name: str = "dataset",
        training_dataset_version: int | None = None,
        label_name: str | None = None,
        *,
        dataset_generator: Callable[..., Any] | None = None,
        feature_store: FeatureStore | None = None,
    ) -> None:
        if isinstance(training_dataset_version, str) and label_name is None:  # Maggy 0.3 had no version
            training_dataset_version, label_name = None, training_dataset_version
        self.training_dataset_name = training_dataset_name
        self.training_dataset_version = training_dataset_version
        self.label_name = label_name
        self.dataset_generator = dataset_generator
        self.feature_store = feature_store
        self.features = FeatureSelection()
        self.model = ModelSelection()
        self.components = ComponentSelection()

    def set_dataset_generator(self, generator: Callable[..., Any]) -> None:
        """Say what makes the data. The training function gets it as `dataset_function`, and calls it.

        generator  a function. If it has an argument `ablated_features`, a tuple of the names that are to go, or
                   `ablated_feature`, one name or None, it leaves features out itself, and the training function does
                   not see that argument. Otherwise they are left out of what it makes
        """
        if not callable(generator):
            raise AblationError(f"a dataset generator is a function, got {type(generator).__name__}")
        self.dataset_generator = generator

    def list_all(self) -> list[Component]:
        """Every component, in the order features, layers, models, switches, each under a name of its own."""
        found = list(chain(self.features, self.model.layers, self.model.customs, self.components))
        counts = Counter(component.name for component in found)
        named = [
            replace(component, name=f"{_KINDS[type(component)]} {component.name}")
            if counts[component.name] > 1
            else component
            for component in found
        ]
        twice = [name for name, count in Counter(component.name for component in named).items() if count > 1]
        if twice:
            raise AblationError(f"the study has {twice[0]!r} twice; give each component a name of its own", twice[0])
        return named

    def without_data(self, arguments: Collection[str]) -> AblationStudy:
        """A copy without the sample, and without what switches have for these arguments."""
        lean = self.with_values({switch.name: None for switch in self.components.of(arguments)})
        lean.model = copy(self.model)
        lean.model.sample = None
        return lean

    def with_values(self, values: Mapping[str, Any]) -> AblationStudy:
        """A copy in which switches have other values, by the name of the component."""
        changed = copy(self)
        changed.components = self.components.with_values(values)
        return changed

    def generators(self) -> list[Callable[..., Any]]:
        """What makes models and data for it."""
        offs = [switch.off for switch in self.components if isinstance(switch, Switch)]
        made = [
            self.model.generator,
            self.dataset_generator,
            *(custom.generator for custom in self.model.customs),
            *offs,
        ]
        return [each for each in made if callable(each)]

    def to_dict(self) -> dict[str, Any]:
        """What the study leaves out and of what, as JSON values. The keys of Maggy 1.1 are those that begin with
        "included"; "components" says of each component what it stands for."""
        return {
            "training_dataset_name": self.training_dataset_name,
            "training_dataset_version": self.training_dataset_version,
            "label_name": self.label_name,
            "included_features": self.features.list_all(),
            "included_layers": self.model.layers.list_all(),
            "components": {
                component.name: {field.name: _plain(getattr(component, field.name)) for field in fields(component)}
                for component in self.list_all()
            },
            "custom_dataset_generator": self.dataset_generator is not None,
            "feature_store": None if self.feature_store is None else repr(self.feature_store),
        }


_KINDS = {Features: "feature", Layers: "layer", CustomModel: "model", Switch: "switch"}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return getattr(value, "__qualname__", type(value).__name__)
