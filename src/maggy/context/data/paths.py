"""Data that are given as a path or a URL."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from maggy.context.data.handles import Files
from maggy.errors import ConfigError

_FORMATS = {
    **dict.fromkeys((".parquet", ".parq", ".pq"), "parquet"),
    **dict.fromkeys((".csv", ".csv.gz", ".csv.bz2"), "csv"),
}
_LOGS = {"_delta_log": "Delta Lake", ".hoodie": "Hudi"}
"""Folders by which formats say which of the files beside them count."""


def files_at(name: str, value: str | os.PathLike[str]) -> Files:
    """The table that a path names: a file of Parquet or CSV, or a folder of them.

    name  of the argument, for errors

    Raises ConfigError if there is nothing, something else, or it cannot be read.
    """
    text = os.fspath(value)
    shown = f"{name}={text!r}"
    if find_spec("pyarrow") is None:
        raise ConfigError(f"{shown} is read with pyarrow: pip install pyarrow, here and on workers")
    url = _absolute(text)
    try:
        found = _found(url)
    except Exception as error:  # each file system has errors of its own
        raise ConfigError(f"{shown}: {url} cannot be read: {type(error).__name__}: {error}") from error
    if found is None:
        raise ConfigError(
            f"{shown}: there is no {url}. A text is taken as the path or URL of a table; give any other text as a "
            f"hyperparameter, or a function that makes the data"
        )
    files = Files(url, _format(shown, found), origin=text)
    try:
        files.open()
    except Exception as error:
        raise ConfigError(f"{shown}: {url} cannot be read as {files.format}: {error}") from error
    return files


def _absolute(text: str) -> str:
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return text if "://" in text else str(Path(text).expanduser().absolute())


def _found(url: str) -> list[str] | None:
    """The files at a place, by path below it; None where there is nothing."""
    import fsspec

    fs, root = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()  # others write here too
    if fs.isfile(root):
        return [root.rpartition("/")[2]]
    if not fs.exists(root):
        return None
    return sorted(path.removeprefix(root).lstrip("/") for path in fs.find(root))


def _format(shown: str, found: list[str]) -> str:
    for log, kind in _LOGS.items():
        if any(log in path.split("/") for path in found):
            raise ConfigError(f"{shown} is a table of {kind}; read it with Spark, and give the Spark DataFrame")
    paths = [path for path in found if not any(part.startswith((".", "_")) for part in path.split("/"))]
    formats = {path: next((kind for end, kind in _FORMATS.items() if path.lower().endswith(end)), "") for path in paths}
    if not paths:
        raise ConfigError(f"{shown} is a folder without files")
    if others := [path for path, kind in formats.items() if not kind]:
        raise ConfigError(
            f"{shown} holds {others[0]!r}, whose name does not end in one of {', '.join(_FORMATS)}. Name a file or "
            f"folder of Parquet or CSV, or give a function that reads it"
        )
    if len(set(formats.values())) > 1:
        raise ConfigError(f"{shown} holds both Parquet and CSV; name a folder of one of them")
    return formats[paths[0]]
