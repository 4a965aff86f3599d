"""How an object of a config is written to a folder of its own, so that it is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec

from maggy.context.data.outline import Outline
from maggy.context.store import Store, store_at

MANIFEST = "_manifest.json"
"""Written last. Its name is one that readers of a folder of Parquet files skip."""


class Manifest(msgspec.Struct, frozen=True):
    """What a folder holds.

    experiment  id of the experiment whose data these are
    kind        name of the form
    origin      class and size of what was written
    """

    experiment: str
    kind: str
    origin: str
    size_bytes: int
    outline: Outline


def read_manifest(url: str) -> Manifest | None:
    """What a folder holds; None where nothing was written to the end."""
    try:
        with open_at(url, MANIFEST) as file:
            return msgspec.json.decode(file.read(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        return None


class Output:
    """Where a form writes its files, which are counted.

    size_bytes  what was written
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.size_bytes = 0

    @contextmanager
    def create(self, name: str) -> Iterator[IO[bytes]]:
        """A new file, open for writing; it is complete after the block."""
        with closing(self._store.create(name)) as file:
            yield file
            self.size_bytes += file.tell()
            self._store.close(file)


class Form(Protocol):
    """How objects of one kind are written and read."""

    def takes(self, value: Any) -> bool:
        """Whether this is an object of that kind."""

    def write(self, value: Any, output: Output) -> bool:
        """Write it; False, with nothing written, if it would not come back equal."""

    def read(self, url: str) -> Any:
        """An object equal to the one that was written; what the caller changes of it, nobody else sees."""


def path_at(url: str, name: str) -> Path | None:
    """The path of a file on this machine, which can be mapped into memory; None where it lies elsewhere."""
    return None if "://" in url else Path(url, name)


def open_at(url: str, name: str) -> IO[bytes]:
    """A file that was written, open for reading."""
    return store_at(url).open(name)
