"""Handles: what travels in place of data, and is opened where the training runs."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

from maggy.context.data.forms import FORMS
from maggy.context.data.kinds import is_container, like
from maggy.context.data.outline import UNKNOWN, Outline, named
from maggy.context.data.tables import open_dataset


class Handle(ABC):
    """Data of a config that lies in files.

    url         where
    origin      what was given: its class and size, or a path
    size_bytes  what was written for it, 0 for files that were there
    """

    url: str
    origin: str
    size_bytes: int

    @abstractmethod
    def open(self) -> Any:
        """What the training function gets. What it changes of that, nobody else sees."""

    @property
    @abstractmethod
    def outline(self) -> Outline:
        """The columns and the size, as far as they are known."""

    @abstractmethod
    def within(self, folder_url: str) -> Self:
        """The same data in the experiment's folder, which may have moved since it was written."""


@dataclass(frozen=True, kw_only=True)
class Stored(Handle):
    """An object that was written to a folder of its own, in the form that suits it.

    kind   name of that form
    known  its outline when it was written
    """

    url: str
    kind: str
    origin: str = ""
    size_bytes: int = 0
    known: Outline = UNKNOWN

    def open(self) -> Any:
        try:
            return FORMS[self.kind].read(self.url)
        except Exception as error:
            error.add_note(f"while the data in {self.url} ({self.origin}) were opened on {socket.gethostname()}")
            raise

    @property
    def outline(self) -> Outline:
        return self.known

    def within(self, folder_url: str) -> Self:
        return replace(self, url=place(folder_url, self.url.rpartition("/")[2]))


@dataclass(frozen=True)
class Files(Handle):
    """Files of a table: one, or a folder of them. The training function gets a `pyarrow.dataset.Dataset`.

    format   "parquet" or "csv"
    written  whether they were written for the experiment, and lie in its folder
    columns  their names; None: as the files say
    """

    url: str
    format: str = "parquet"
    origin: str = ""
    size_bytes: int = 0
    written: bool = False
    columns: tuple[str, ...] | None = None

    def open(self) -> Any:
        return self._dataset  # it is immutable and reads lazily, so all trials of a worker share it

    @cached_property
    def _dataset(self) -> Any:
        return open_dataset(self.url, self.format)

    @property
    def outline(self) -> Outline:
        return named(self._dataset.schema.names if self.columns is None else self.columns)

    def within(self, folder_url: str) -> Self:
        return replace(self, url=place(folder_url, self.url.rpartition("/")[2])) if self.written else self

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


def place(folder_url: str, name: str) -> str:
    """Where data of this name lie in an experiment's folder."""
    return f"{folder_url.rstrip('/')}/data/{name}"


def handles(value: Any) -> Iterator[Handle]:
    """The handles in a value of the config that was materialised."""
    if isinstance(value, Handle):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from handles(item)
    elif isinstance(value, dict):
        yield from handles(list(value.values()))


def lies_in(folder_url: str, value: Any) -> bool:
    """Whether a value of the config is data in this folder, or holds such data."""
    return any(handle.url.startswith(f"{folder_url.rstrip('/')}/") for handle in handles(value))


def within(value: Any, folder_url: str) -> Any:
    """A value of the config whose data lie in an experiment's folder that may have moved."""
    if isinstance(value, Handle):
        return value.within(folder_url)
    if not is_container(value):
        return value
    if isinstance(value, dict):
        return {name: within(item, folder_url) for name, item in value.items()}
    return like(value, [within(item, folder_url) for item in value])


def size_of(value: Any) -> int:
    """How many bytes were written for a value of the config; the same data are counted once."""
    return sum({handle.url: handle.size_bytes for handle in handles(value)}.values())


def resolve(value: Any) -> Any:
    """What the training function gets for a value of the config. Call it afresh for each trial.

    Raises what a file system or a library raises where the data cannot be opened.
    """
    if isinstance(value, Handle):
        return value.open()
    if not is_container(value):
        return value
    if isinstance(value, dict):
        return {name: resolve(item) for name, item in value.items()}
    return like(value, [resolve(item) for item in value])
