"""An ablation study at the door: what is left out of what, checked before anything starts, and what came of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from importlib.util import find_spec
from numbers import Number
from typing import Any
from zlib import crc32

from maggy import context
from maggy.ablation import AblationStudy, Effects, ParquetStore
from maggy.ablation.abstract import AbstractAblator
from maggy.ablation.components import Component, CustomModel, Design, Features, Layers, Switch
from maggy.ablation.designs import resolve
from maggy.ablation.plan import AblationPlan, AblatorAdapter, design_of, metrics_of
from maggy.config import DATA_ARGUMENTS, FIXED_ARGUMENTS, AblationConfig, check_model
from maggy.context import surgery
from maggy.context.arrangement import Arrangement, StoredDataset, check_features
from maggy.context.features import opened
from maggy.errors import AblationError, ConfigError, UnknownNameError
from maggy.optimizer import Optimizer
from maggy.trial import Trial

REPEATS = 5
"""How often each variant is trained if nothing is said, and the training function takes a seed."""


def design_for(config: AblationConfig) -> Design | None:
    """The variants of a study and how they are compared; None where an ablator of the developer API decides.

    Raises AblationError, ConfigError for what is no study, or UnknownNameError for an ablator that does not exist.
    """
    if not isinstance(config.ablation_study, AblationStudy):
        raise ConfigError(f"ablation_study has to be an AblationStudy, got {type(config.ablation_study).__name__}")
    ablator = resolve(config.ablator)
    if isinstance(ablator, AbstractAblator):
        return None
    return ablator.design(config.ablation_study.list_all())


def with_ablator(config: AblationConfig) -> AblationConfig:
    """The config with an object for its ablator, so that whoever says what to leave out is who travels to workers."""
    return replace(config, ablator=resolve(config.ablator))


def plan(config: AblationConfig, seed: int, *, takes_seed: bool) -> Optimizer:
    """What trains the variants in turn."""
    design = design_for(config)
    if design is None:
        ablator = resolve(config.ablator)
        assert isinstance(ablator, AbstractAblator)
        return AblatorAdapter(ablator, config.ablation_study)
    paired = _is_paired(config, takes_seed)
    if not paired and (config.repeats or 1) > 1 and takes_seed:
        raise ConfigError("hparams fixes the seed, so repeats would be the same run; give the config seed= instead")
    return AblationPlan(design.variants, repeats=_repeats(config, takes_seed), seed=seed if paired else None)


class Ablating:
    """A study, ready to run.

    config    of the experiment
    function  the training function

    fixed     arguments of the training function that come from the study in place of the config

    Raises AblationError or ConfigError for what cannot be left out.
    """

    def __init__(self, config: AblationConfig, function: Callable[..., Any]) -> None:
        self._config, self._study, self._function = config, config.ablation_study, function
        self._design = design_for(config)
        self._variants = () if self._design is None else self._design.variants
        self._ablator = config.ablator if isinstance(config.ablator, AbstractAblator) else None
        self._components = self._study.list_all()
        if config.model is not None and self._study.model.generator is not None:
            raise ConfigError("the model is given twice: by the config and by study.model.set_base_model_generator()")
        self.fixed: dict[str, Any] = {}
        if self._study.model.generator is not None or self._makes("model"):
            self.fixed["model"] = self._study.model.generator
        given = {name: value for name in DATA_ARGUMENTS if (value := getattr(config, name)) is not None}
        self._data = {name: opened(value) for name, value in given.items()}
        self._stored = self._find_data()
        self._check()

    def arrangement(self, materialise: Callable[[str, Any], Any]) -> Arrangement:
        """What the workers need.

        materialise  makes a handle of data that replaces other data: called with a name and the data
        """
        handles: dict[int, Switch] = {}

        def travelling(component: Component) -> Component:
            if not isinstance(component, Switch) or component.argument not in DATA_ARGUMENTS:
                return component
            if id(component) not in handles:
                handles[id(component)] = replace(component, off=materialise(_file_of(component), component.off))
            return handles[id(component)]

        return Arrangement(
            variants={
                variant.name: replace(variant, without=tuple(map(travelling, variant.without)))
                for variant in self._variants
            },
            components={each.name: each for each in self._components if isinstance(each, Features | Layers)},
            label=self._study.label_name,
            ablator=self._travelling_ablator(),
            stored=self._stored,
        )

    def study_with(self, materialise: Callable[[str, Any], Any]) -> AblationStudy:
        """The study with handles in place of its data, as the experiment's folder keeps it."""
        switches = self._study.components.of(DATA_ARGUMENTS)
        return self._study.with_values({each.name: materialise(_file_of(each), each.off) for each in switches})

    def _travelling_ablator(self) -> AbstractAblator | None:
        """The ablator of the developer API; workers need neither its trials nor the data of its study."""
        if self._ablator is None:
            return None
        ablator = copy(self._ablator)
        ablator.ablation_study, ablator.final_store = self._study.without_data(DATA_ARGUMENTS), ()
        return ablator

    def effects(self, trials: Sequence[Trial]) -> Effects:
        """What came of it."""
        config = self._config
        metrics, missing = metrics_of(trials)
        return Effects(
            design_of(trials) if self._design is None else self._design,
            metrics,
            direction=config.direction,
            missing=missing,
            metric=config.optimization_key,
            confidence=config.confidence,
            simultaneous=config.simultaneous,
        )

    def _find_data(self) -> StoredDataset | None:
        """Where the data comes from, if it is not in the config."""
        study = self._study
        sources = {
            "the config": bool(self._data),
            "the study's dataset generator": study.dataset_generator is not None,
            "the study's feature store": study.feature_store is not None,
        }
        given = [source for source, has_it in sources.items() if has_it]
        if len(given) > 1:
            raise ConfigError(f"the data is given twice: by {' and by '.join(given)}")
        if study.dataset_generator is not None:
            self.fixed["dataset"] = self._data["dataset"] = study.dataset_generator
            return None
        if not given and self._makes("dataset"):
            self.fixed["dataset"] = None
            return None
        if given == ["the config"] or not (given or self._needs_dataset()):
            return None
        store = study.feature_store or ParquetStore()
        self.fixed["dataset"] = None  # made by the arrangement
        name, version = study.training_dataset_name, study.training_dataset_version
        columns = store.features(name, version)
        self._data["dataset"] = dict.fromkeys(columns, ())  # nothing but its columns is looked at
        return StoredDataset(store, name, version, columns)

    def _makes(self, name: str) -> bool:
        """Whether an ablator of the developer API has a method of its own for the model, or the dataset."""
        method = f"get_{name}_generator"
        return self._ablator is not None and getattr(type(self._ablator), method) is not getattr(
            AbstractAblator, method
        )

    def _needs_dataset(self) -> bool:
        """Whether the training function cannot do without a dataset, or would lose columns of it."""
        binding = context.Binding(self._function)
        return "dataset" in (binding.meanings if len(self._study.features) else binding.needed)

    def _check(self) -> None:
        for generator in (self._study.model.generator, *(custom.generator for custom in self._study.model.customs)):
            check_model(generator)
        taken = context.Binding(self._function).meanings
        for kinds, arguments in ((Features, DATA_ARGUMENTS), (Layers | CustomModel, ("model",))):
            chosen = [component for component in self._components if isinstance(component, kinds)]
            given = [
                name for name in arguments if name in {*self._data, *self.fixed} or getattr(self._config, name, None)
            ]
            if chosen and given and taken.isdisjoint(given):
                raise AblationError(
                    f"leaving out {chosen[0].name!r} would change nothing: {self._function.__name__}() does not take "
                    f"{' or '.join(given)}; add the argument",
                    chosen[0].name,
                )
        for component in self._components:
            match component:
                case Features() if not self._makes("dataset"):
                    check_features([component], self._data, self._study.label_name)
                case Switch():
                    self._check_switch(component)
        together = [[each for each in variant.without if isinstance(each, Features)] for variant in self._variants]
        most = max(together, key=len, default=[])
        if len(most) > 1:  # which may leave no column
            check_features(most, self._data, self._study.label_name)
        removals = [
            layers
            for variant in self._variants
            if (layers := tuple(each for each in variant.without if isinstance(each, Layers)))
        ]
        models = [each for each in self._components if isinstance(each, Layers | CustomModel)]
        if models and not self._makes("model"):
            self._check_model(models[0], removals)
        repeats = _repeats(self._config, context.takes(self._function, "seed"))
        if self._design is not None and repeats > 1 and find_spec("scipy") is None:
            raise ConfigError("intervals over repeats need scipy: pip install 'maggy[ablation]', or set repeats=1")

    def _check_switch(self, switch: Switch) -> None:
        config = self._config
        known = context.Binding(self._function).meanings
        on: Any = (config.hparams or {}).get(switch.argument)
        if switch.argument in FIXED_ARGUMENTS:
            on = self.fixed.get(switch.argument, getattr(config, switch.argument))
            if switch.argument == "model":
                check_model(switch.off)
            if switch.argument not in known:
                raise AblationError(
                    f"component {switch.name!r} replaces {switch.argument}, which {self._function.__name__}() does not "
                    f"take, so switching it off changes nothing; add the argument",
                    switch.name,
                )
            if on is None:
                raise AblationError(
                    f"component {switch.name!r} replaces {switch.argument}, which the config does not have", switch.name
                )
        elif switch.argument not in (config.hparams or {}):
            default = inspect.signature(self._function).parameters.get(switch.argument)
            if default is None or default.default is inspect.Parameter.empty:
                raise UnknownNameError("argument of the training function with a value", switch.argument, known)
            on = default.default
        if on is switch.off or (_is_plain(on) and _is_plain(switch.off) and on == switch.off):
            raise AblationError(
                f"component {switch.name!r} is {on!r} in the whole training too, so switching it off changes nothing; "
                f"give it another value there: hparams={{{switch.argument!r}: ...}}",
                switch.name,
            )

    def _check_model(self, first: Component, removals: Sequence[tuple[Layers, ...]]) -> None:
        model = self.fixed.get("model", self._config.model)
        if model is None or isinstance(model, list | tuple):
            raise AblationError(
                f"{first.name!r} cannot be left out, because the study has no model, or several: give the config one "
                f"model=, or call study.model.set_base_model_generator()",
                first.name,
            )
        if removals:
            checker = surgery.Checker(model, self._study.model.arguments, self._study.model.sample)
            for layers in removals:
                checker.check(layers)


def _file_of(switch: Switch) -> str:
    """What the data of a switch are called in the experiment's folder: always the same, and no path."""
    short = re.sub(r"\W+", "-", switch.name)[:40]
    return f"{switch.argument}-without-{short}-{crc32(switch.name.encode()):08x}"


def _is_paired(config: AblationConfig, takes_seed: bool) -> bool:
    """Whether the variants of a repeat get the same seed, and each repeat another."""
    return takes_seed and "seed" not in (config.hparams or {})


def _repeats(config: AblationConfig, takes_seed: bool) -> int:
    return config.repeats or (REPEATS if _is_paired(config, takes_seed) else 1)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | Number | list | tuple | dict)
