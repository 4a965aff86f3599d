"""Ending another thread's poll."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """Lets any thread end another thread's poll."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # full: already awake; closed: too late
            self._writer.send(b"\0")

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.reader.recv(4096)

    def close(self) -> None:
        self.reader.close()
        self._writer.close()
