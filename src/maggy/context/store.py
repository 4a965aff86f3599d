"""The place of one checkpoint: a folder on this machine, or one at any URL that fsspec knows."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol


class Store(Protocol):
    """A folder whose files appear all at once, or where a manifest that is written last says that they are whole."""

    def begin(self) -> None:
        """Files follow; what a writer that was killed has left of the same name is in nobody's way."""

    def create(self, name: str) -> IO[bytes]:
        """A new file, open for writing."""

    def close(self, file: IO[bytes]) -> None:
        """Bring a file to where it survives a power cut, and close it."""

    def commit(self) -> None:
        """Everything is written."""

    def abort(self) -> None:
        """Take back what was written."""

    def open(self, name: str) -> IO[bytes]:
        """A file, open for reading."""

    def names(self) -> list[str]:
        """What lies directly in this folder; nothing where there is no such folder."""

    def remove(self) -> None:
        """Remove the folder with everything in it; nothing where there is no such folder."""


def store_at(url: str) -> Store:
    """The place that a path or a URL names. Only a URL loads fsspec."""
    return RemoteStore(url) if "://" in url else LocalStore(url)


class LocalStore:
    """A folder on this machine or on a mount. It is written beside its place, and renamed when it is whole."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.name}.partial")

    def begin(self) -> None:
        self.abort()
        self._partial.mkdir(parents=True)

    def create(self, name: str) -> IO[bytes]:
        file = self._partial / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("xb")

    def close(self, file: IO[bytes]) -> None:
        with file:
            file.flush()
            os.fsync(file.fileno())

    def commit(self) -> None:
        for folder, _, _ in os.walk(self._partial):
            _sync(folder)
        self.remove()
        self._partial.rename(self.path)
        _sync(self.path.parent)

    def abort(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def open(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb")

    def names(self) -> list[str]:
        return [entry.name for entry in self.path.iterdir()] if self.path.is_dir() else []

    def remove(self) -> None:
        if self.path.exists():
            shutil.rmtree(self.path)


class RemoteStore:
    """A folder on an object store or HDFS, which may know no renaming: its manifest has to be written last."""

    def __init__(self, url: str) -> None:
        import fsspec

        self._fs: Any
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def begin(self) -> None:
        """Files of the same name are replaced."""

    def create(self, name: str) -> IO[bytes]:
        path = f"{self._root}/{name}"
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        file: IO[bytes] = self._fs.open(path, "wb")
        return file

    def close(self, file: IO[bytes]) -> None:
        file.close()

    def commit(self) -> None:
        """The manifest is there."""

    def abort(self) -> None:
        with suppress(Exception):  # each file system has errors of its own, and one is being reported already
            self.remove()

    def open(self, name: str) -> IO[bytes]:
        file: IO[bytes] = self._fs.open(f"{self._root}/{name}", "rb")
        return file

    def names(self) -> list[str]:
        self._fs.invalidate_cache()  # others write here too
        try:
            entries = self._fs.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        return [entry.rstrip("/").rpartition("/")[2] for entry in entries]

    def remove(self) -> None:
        self._fs.invalidate_cache()
        with suppress(FileNotFoundError):
            self._fs.rm(self._root, recursive=True)


def _sync(folder: str | Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
