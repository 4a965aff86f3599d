"""From a command line, or the file that it names, to a config."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from maggy.config import BaseConfig, HyperparameterOptConfig, LagomConfig
from maggy.errors import ConfigError, SearchspaceError, UnknownNameError
from maggy.searchspace import Space, read_space, space_from_tables

SEARCH = ("trials", "optimizer", "early_stopping", "direction")
COMMON = ("metric", "workers", "resources", "seed", "name", "dir")
SETTINGS = ("target", "space", *SEARCH, *COMMON, "hparams", "engine", "track")
"""What a command line and the [run] table of a file may say."""

_WORDS = {"true": True, "false": False, "null": None, "none": None}


def read_settings(path: str) -> dict[str, Any]:
    """What a file says: its [run] table, and the space of its [space] table.

    Paths of a script and a search space in it are relative to the file.

    Raises ConfigError, UnknownNameError or SearchspaceError, which name the file.
    """
    file = Path(path)
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    for table in document:
        if table not in ("run", "space"):
            raise UnknownNameError(f"table in {path}", table, ("run", "space"))
    run = document.get("run", {})
    if not isinstance(run, dict):
        raise ConfigError(f"{path}: [run] has to be a table")
    settings = {key.replace("-", "_"): value for key, value in run.items()}
    for key in settings:
        if key not in SETTINGS:
            raise UnknownNameError(f"key of [run] in {path}", key, SETTINGS)
    for key in ("target", "space"):
        text = settings.get(key)
        if isinstance(text, str) and (key == "space" or text.partition(":")[0].endswith(".py")):
            settings[key] = str(file.parent / text)
    if "space" in document:
        if not isinstance(document["space"], dict):
            raise ConfigError(
                f"{path}: [space] has to be a table; space = 'space.toml', a file of its own, goes into [run]"
            )
        if "space" in settings:
            raise ConfigError(f"{path} has a [space] table, and names another with space= in [run]; leave one out")
        try:
            settings["space"] = space_from_tables(document["space"])
        except SearchspaceError as error:
            raise SearchspaceError(f"{path}: in [space]: {error}") from None
    return settings


def config_of(settings: Mapping[str, Any]) -> LagomConfig:
    """The config that settings by the names of `SETTINGS` mean: a search where there is a space, else a single run.

    Raises ConfigError, UnknownNameError or SearchspaceError.
    """
    common = {
        "optimization_key": _one(settings.get("metric")),
        "num_workers": settings.get("workers"),
        "resources_per_worker": _amounts(settings.get("resources")),
        "seed": settings.get("seed"),
        "name": settings.get("name"),
        "experiment_dir": settings.get("dir"),
    }
    given = {name: value for name, value in common.items() if value is not None}
    hparams = assigned(settings.get("hparams"))
    space = settings.get("space")
    if space is None:
        if of_search := [name for name in SEARCH if settings.get(name) is not None]:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in of_search)
            raise ConfigError(f"{flags}: for a search, say what can be chosen with --space space.toml")
        return BaseConfig(hparams=hparams or None, **given)
    if hparams:
        raise ConfigError(
            f"--hparams is for a single run. In a search, give {', '.join(hparams)} in the search space: a value "
            f"that is no table is a constant there"
        )
    return search_config(settings, space if isinstance(space, Space) else read_space(space), given)


def search_config(settings: Mapping[str, Any], space: Space, given: Mapping[str, Any]) -> HyperparameterOptConfig:
    """A search in a space. What `SEARCH` names is in the settings; `given` are fields of the config.

    Raises ConfigError or UnknownNameError.
    """
    if settings.get("trials") is None:
        raise ConfigError("say how many configurations are to be tried: --trials 20")
    fields = dict(given)
    if (direction := _one(settings.get("direction"))) is not None:
        fields["direction"] = direction
    if (stopping := settings.get("early_stopping")) is not None:
        fields["es_policy"] = _rule(stopping)
    return HyperparameterOptConfig(
        num_trials=settings["trials"],
        optimizer=_optimizer(settings.get("optimizer") or "randomsearch"),
        searchspace=space,
        **fields,
    )


def _optimizer(text: object) -> Any:
    from maggy.optimizer import BY_NAME

    return _made(text, "optimizer", BY_NAME)


def _rule(text: object) -> Any:
    from maggy.earlystop import BY_NAME

    return _made(text, "early-stopping policy", BY_NAME)


def _made(text: object, what: str, known: Mapping[str, Callable[..., Any]]) -> Any:
    """What a name with options means, e.g. asha:reduction_factor=3; a name alone is left to the config."""
    if not isinstance(text, str):
        raise ConfigError(f"{what} has to be text, got {text!r}")
    name, _, options = text.partition(":")
    if name.lower() not in known:
        raise UnknownNameError(what, name, known)
    if not options:
        return name
    make, arguments = known[name.lower()], assigned(options.split(","))
    takes = inspect.signature(make)
    try:
        takes.bind(**arguments)
    except TypeError as error:
        raise ConfigError(
            f"{what} {text!r}: {error}. Its options are {', '.join(takes.parameters) or 'none'}"
        ) from None
    return make(**arguments)


def assigned(given: object) -> dict[str, Any]:
    """The values in texts like `lr=0.1`: Python's numbers, lists, True, None, and the rest as text; a dict as it is.

    Raises ConfigError for a text without `=`.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    texts: Iterable[object] = given if isinstance(given, list | tuple) else [given]
    values = {}
    for text in texts:
        name, equals, value = str(text).partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"expected name=value, got {text!r}")
        values[name.strip()] = _value(value.strip())
    return values


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _amounts(given: object) -> dict[str, Any] | None:
    return assigned(given.split(",") if isinstance(given, str) else given) or None


def _one(given: Any) -> Any:
    """A list of one is that one."""
    return given[0] if isinstance(given, list) and len(given) == 1 else given
