"""One driver for each folder: a lock that the kernel takes back however the driver dies."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from datetime import datetime
from pathlib import Path
from weakref import WeakSet

import msgspec

_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}


class Held(Exception):  # noqa: N818  it is an answer, turned into an error by whoever asked
    """Somebody else has the lock; the text says who."""


class Lock:
    """The lock of a folder on this machine, in its file `.lock`, held until `release`.

    A file system that has no locks is written without one.

    Raises Held, or OSError if the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._file: int | None = None
        path = folder / ".lock"
        while self._file is None:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _take(file)
                if _is_at(file, path):  # and not removed or moved in between
                    self._file = file
            finally:
                if self._file is None:
                    os.close(file)
        os.ftruncate(self._file, 0)
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        os.pwrite(self._file, msgspec.json.encode(owner) + b"\n", 0)
        _held.add(self)

    def release(self) -> None:
        """Let others have it; more than once does no harm."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __del__(self) -> None:
        self.release()


def driver_name(pid: int, host: str, since: float) -> str:
    """A driver, as errors name it; `since` is in seconds since 1970."""
    return f"pid {pid} on host {host} since {datetime.fromtimestamp(since):%Y-%m-%d %H:%M:%S}"


def _take(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Held(_owner(os.pread(file, 1000, 0))) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _owner(content: bytes) -> str:
    try:
        owner = msgspec.json.decode(content)
        return driver_name(owner["pid"], owner["host"], owner["since"])
    except (msgspec.MsgspecError, KeyError, TypeError):  # it is being written at this moment
        return "another process"


_held: WeakSet[Lock] = WeakSet()


def _drop_in_child() -> None:
    """A forked child shares the lock, and would hold it after its parent's death."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_drop_in_child)
