"""Where files lie: a folder on this machine, or one on a store that only knows whole files."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

_NOT_OFFERED = {errno.ENOSYS, errno.ENOTSUP}
_BLOCK = 1 << 20  # bytes read at once from a file on this machine


class Place(Protocol):
    """A folder, by the names of the files in it; a name is a path below the folder, with `/`.

    An error of the file system is raised as it is: a store that does not answer is not one without files.
    """

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""

    def read(self, name: str) -> bytes:
        """A whole file. Raises FileNotFoundError."""

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """A file from a byte on, piece by piece. Raises FileNotFoundError."""

    def sizes(self, folder: str) -> dict[str, int]:
        """The files that lie directly in a folder, by name in order, with their bytes. Empty without the folder."""

    def put(self, name: str, data: bytes) -> None:
        """Write a whole file, or replace it in one step."""

    def put_new(self, name: str, data: bytes) -> bool:
        """Write a whole file in one step unless it is there already; returns whether it was written."""

    def is_empty(self) -> bool:
        """Whether there is no such folder, or nothing in it."""

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; "" is this folder. Nothing there is no error."""


class LocalPlace:
    """A folder on this machine.

    path  where it is
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self, name: str) -> bool:
        try:
            (self.path / name).stat()
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        with (self.path / name).open("rb") as file:
            file.seek(start)
            while block := file.read(_BLOCK):
                yield block

    def sizes(self, folder: str) -> dict[str, int]:
        try:
            paths = sorted(path for path in (self.path / folder).iterdir() if path.is_file())
        except FileNotFoundError:
            return {}
        return {f"{folder}/{path.name}": path.stat().st_size for path in paths}

    def put(self, name: str, data: bytes) -> None:
        partial = self._partial(name)
        try:
            partial.write_bytes(data)
            partial.replace(self.path / name)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise

    def put_new(self, name: str, data: bytes) -> bool:
        path, partial = self.path / name, self._partial(f"{name}.{os.getpid()}")
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                path.hardlink_to(partial)
            except FileExistsError:
                return False
            except OSError:  # a file system without hard links; the lock alone keeps others out
                if path.exists():
                    return False
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True

    def is_empty(self) -> bool:
        return not self.exists("") or not any(self.path.iterdir())

    def remove(self, name: str) -> None:
        path = self.path / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            return
        path.unlink(missing_ok=True)
        if path.parent != self.path:
            with suppress(OSError):  # others lie beside it
                path.parent.rmdir()

    def _partial(self, name: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(f".{path.name}.partial")


class Store:
    """A folder on an fsspec file system, which may know neither append nor rename.

    fs    the file system
    root  the folder on it
    """

    def __init__(self, fs: Any, root: str) -> None:
        self.fs, self.root = fs, root
        self._made: set[str] = set()

    def exists(self, name: str) -> bool:
        path = self._path(name)
        self.fs.invalidate_cache(path)  # others write here too
        try:
            self.fs.info(path)
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes:
        data: bytes = self.fs.cat_file(self._path(name))
        return data

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        yield self.fs.cat_file(self._path(name), start=start or None)

    def sizes(self, folder: str) -> dict[str, int]:
        path = self._path(folder)
        self.fs.invalidate_cache(path)
        try:
            found = self.fs.ls(path, detail=True)
        except FileNotFoundError:
            return {}
        files = {file["name"].rpartition("/")[2]: file["size"] for file in found if file["type"] == "file"}
        return {f"{folder}/{name}": size for name, size in sorted(files.items())}

    def put(self, name: str, data: bytes) -> None:
        self.fs.pipe_file(self._in_folder(name), data)

    def put_new(self, name: str, data: bytes) -> bool:
        path = self._in_folder(name)
        try:
            self.fs.pipe_file(path, data, mode="create")
        except Exception as error:  # refused; or written and the answer lost on its way
            with suppress(FileNotFoundError):
                return self.read(name) == data
            if not _knows_no_condition(error):
                raise
            self.put(name, data)  # nobody was faster, as far as one can look
        return True

    def find(self, *folders: str) -> list[str]:
        """The files in folders and below them, by name."""
        names = []
        for folder in folders:
            self.fs.invalidate_cache(self._path(folder))
            names += [path.removeprefix(f"{self.root}/") for path in self.fs.find(self._path(folder))]
        return names

    def is_empty(self) -> bool:
        self.fs.invalidate_cache(self.root)
        try:
            return not self.fs.ls(self.root, detail=False)
        except FileNotFoundError:
            return True

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            if name:
                self.fs.rm_file(self._path(name))
            else:
                self.fs.rm(self.root, recursive=True)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}".rstrip("/")

    def _in_folder(self, name: str) -> str:
        """The path of a file whose folder is there."""
        path = self._path(name)
        folder = path.rpartition("/")[0]
        if folder not in self._made:
            self.fs.makedirs(folder, exist_ok=True)
            self._made.add(folder)
        return path


def _knows_no_condition(error: Exception) -> bool:
    """Whether a store has no way to write a file only if there is none yet."""
    return isinstance(error, TypeError | NotImplementedError) or getattr(error, "errno", None) in _NOT_OFFERED


def sync_folder(path: Path) -> None:
    """Bring to disk which files a folder on this machine holds, where its file system can."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(folder)
    finally:
        os.close(folder)
