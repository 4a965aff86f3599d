"""The flat form of `lagom`, as the versions before 1.0 had it: every setting a keyword."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from maggy.config import FIXED_ARGUMENTS, LIMITS, AblationConfig, BaseConfig, HyperparameterOptConfig, LagomConfig
from maggy.errors import ConfigError, UnknownNameError
from maggy.searchspace import Space

_TYPES = ("optimization", "ablation")
_SEARCH = (
    "searchspace",
    "optimizer",
    "direction",
    "num_trials",
    "optimization_key",
    "es_policy",
    "es_interval",
    "es_min",
)
_ABLATION = ("ablation_study", "ablator")
_GANGS = (
    "workers_per_trial",
    "distributed",
    "min_workers",
    "workers_timeout_s",
    "collective_timeout_s",
    "combine",
)
_COMMON = (
    "name",
    "description",
    "hb_interval",
    "num_workers",
    "seed",
    "experiment_dir",
    "resources_per_worker",
    *LIMITS,
    *FIXED_ARGUMENTS,
    "checkpoint_quota_bytes",
)
KEYWORDS = ("experiment_type", *_SEARCH, *_ABLATION, *_GANGS, *_COMMON)
"""Every keyword of the flat form, beside the training function."""


def changed_config(config: LagomConfig, keywords: Mapping[str, Any]) -> LagomConfig:
    """A config with other values for some of its fields. Raises UnknownNameError for what is none of its fields."""
    known = [field.name for field in fields(config)]
    for keyword in keywords:
        if keyword not in known:
            raise UnknownNameError(f"field of {type(config).__name__}", keyword, known)
    return replace(config, **keywords)


def config_from_keywords(second: object, keywords: Mapping[str, Any]) -> LagomConfig:
    """The config that the second argument of `lagom`, or its keywords, mean.

    second    a config, or what older versions had in second place: a search space or the experiment's name

    Raises UnknownNameError for a keyword that no version had, ConfigError where the settings contradict each other.
    """
    settings = dict(keywords)
    for keyword in settings:
        if keyword not in KEYWORDS:
            raise UnknownNameError("keyword of lagom", keyword, ("engine", "verbose", "map_fun", *KEYWORDS))
    if isinstance(second, LagomConfig):
        if settings:
            raise ConfigError(
                f"lagom was given a config and the keywords {', '.join(map(repr, settings))}; put them into the config"
            )
        return second
    if second is not None:
        place = "searchspace" if isinstance(second, Space) else "name" if isinstance(second, str) else None
        if place is None:
            raise ConfigError(
                f"the second argument of lagom has to be a config, e.g. HyperparameterOptConfig, "
                f"got {type(second).__name__}"
            )
        if place in settings:
            raise ConfigError(f"lagom was given {place} twice: as its second argument and as a keyword")
        settings[place] = second
    if not settings:
        return BaseConfig()
    experiment_type = settings.pop("experiment_type", "optimization")
    if experiment_type not in _TYPES:
        raise UnknownNameError("experiment_type", experiment_type, _TYPES)
    if experiment_type == "ablation" or any(settings.get(keyword) is not None for keyword in _ABLATION):
        return _ablation_config(settings)
    for keyword in _ABLATION:
        settings.pop(keyword, None)
    if not any(keyword in settings for keyword in _SEARCH):
        if of_gangs := [keyword for keyword in _GANGS if keyword in settings]:
            raise ConfigError(
                f"{', '.join(map(repr, of_gangs))} are for searches and ablation studies; for one training on several "
                f"workers, give lagom a config such as TorchDistributedConfig(num_workers=2)"
            )
        return BaseConfig(**settings)
    defaults = {
        "num_trials": 1,
        "optimizer": None,
        "searchspace": None,
        "optimization_key": "metric",
        "name": "no-name",
    }
    return HyperparameterOptConfig(**{**defaults, **settings})


def _ablation_config(settings: Mapping[str, Any]) -> AblationConfig:
    """The study that the keywords mean. Raises ConfigError where they are those of a search."""
    settings = {name: value for name, value in settings.items() if (name, value) != ("num_trials", 1)}  # its default
    of_search = [name for name in ("searchspace", "optimizer", "num_trials") if settings.get(name) is not None]
    if of_search:
        raise ConfigError(f"an ablation study takes no {' or '.join(of_search)}: the study says what is tried")
    if settings.get("ablation_study") is None:
        raise ConfigError("an ablation study needs ablation_study=AblationStudy(...)")
    given = {name: value for name, value in settings.items() if value is not None}
    return AblationConfig(**{"optimization_key": "metric", "name": "no-name", **given})
