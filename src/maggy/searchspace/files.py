"""Search spaces that are written in files of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maggy.errors import SearchspaceError
from maggy.searchspace.searchspace import Searchspace
from maggy.searchspace.space import Space
from maggy.searchspace.structure import TYPES

_PLAIN = ("forbid", "start_with")  # say values, in which nothing is chosen


def read_space(path: str | os.PathLike[str]) -> Space:
    """The search space in a file: `.toml`, see `space_from_toml`, or `.json`, as `Space.json()` writes it.

    Raises SearchspaceError, which names the file and the hyperparameter.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SearchspaceError(f"the search space in {str(file)!r} cannot be read: {error}") from None
    try:
        if file.suffix == ".toml":
            return space_from_toml(text)
        if file.suffix == ".json":
            return _from_json(text)
    except SearchspaceError as error:
        raise SearchspaceError(f"{file}: {error}") from None
    raise SearchspaceError(f"{str(file)!r} is no search space: its name has to end with .toml or .json")


def space_from_toml(text: str) -> Searchspace:
    """The search space in a text of TOML: each key is a hyperparameter, or a constant.

    A hyperparameter is a table with a `type` and its `values`, as in `Searchspace`, and its options:

        learning_rate = { type = "double", values = [1e-5, 1e-1], log = true }
        optimizer = { type = "categorical", values = ["sgd", "adam"] }
        momentum = { type = "double", values = [0, 0.99], when = { optimizer = "sgd" } }
        epochs = 10

    A table without these holds others, which are nested. `[[forbid]]` and `[[start_with]]` are what `Space.forbid` and
    `Space.start_with` are given.

    Raises SearchspaceError.
    """
    import tomllib

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SearchspaceError(f"this is no TOML: {error}") from None
    return space_from_tables(document)


def space_from_tables(tables: Mapping[str, Any]) -> Searchspace:
    """The search space in a TOML document that was read already. Raises SearchspaceError."""
    for name in _PLAIN:
        given = tables.get(name, [])
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise SearchspaceError(f"{name!r} has to be a list of tables, each headed by [[{name}]]")
    for name, each in tables.items():
        if name not in _PLAIN and isinstance(each, list) and not any(isinstance(item, dict) for item in each):
            raise SearchspaceError(
                f"hyperparameter {name!r} is a bare list. To choose one of its values: {name} = {{ type = "
                f"'categorical', values = {each!r} }}; for a constant: {{ type = 'constant', values = [{each!r}] }}"
            )
    arguments = {name: each if name in _PLAIN else _read(each, name) for name, each in tables.items()}
    if not arguments.keys() - set(_PLAIN):
        raise SearchspaceError("there is no hyperparameter in it, e.g. lr = { type = 'double', values = [0, 1] }")
    return Searchspace(**arguments)


def _read(value: Any, name: str) -> Any:
    """What `Searchspace` takes for a value of the document. `name` is its key, dotted."""
    if isinstance(value, list):
        return [_read(each, f"{name}.{index}") for index, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kind = value.get("type")
    of_type = isinstance(kind, str) and kind.upper() in TYPES
    if "values" not in value and not of_type:
        return {key: _read(each, f"{name}.{key}") for key, each in value.items()}
    if "values" not in value or "type" not in value:
        missing = "values" if "type" in value else "type"
        raise SearchspaceError(
            f"hyperparameter {name!r} has no {missing!r}: {name} = {{ type = 'double', values = [0, 1] }}, where type "
            f"is one of {', '.join(each.lower() for each in TYPES)}"
        )
    if not of_type:
        raise SearchspaceError(
            f"hyperparameter {name!r} has the type {kind!r}, known are {', '.join(each.lower() for each in TYPES)}"
        )
    options = {key: each for key, each in value.items() if key not in ("type", "values")}
    return (kind, value["values"], options)


def _from_json(text: str) -> Space:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SearchspaceError(f"this is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise SearchspaceError("expected a JSON object, as Space.json() writes it")
    return space_from_document(document)


def space_from_document(document: Mapping[str, Any]) -> Space:
    """The search space that `Space.to_dict` has told, of either class. Raises SearchspaceError."""
    if isinstance(document.get("branches"), list):
        return Space.from_json(json.dumps(document))
    return Searchspace(**document)
