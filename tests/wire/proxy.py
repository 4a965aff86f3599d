"""A network that can be slow, silent, and cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from time import sleep

_CHUNK = 65536


class Proxy:
    """A TCP relay to a port of this machine. Its fields may be changed at any time.

    delay_s   how long each piece of data is held up
    rate      bytes a second in one direction of one connection; None: as fast as it goes
    stalled   take what comes and pass nothing on
    fuses     bytes after which a connection is cut, one for each to come; the others are never cut
    recorded  what each connection has sent to the port; filled while `recording`
    """

    def __init__(self, port: int) -> None:
        self.delay_s = 0.0
        self.rate: float | None = None
        self.stalled = False
        self.fuses: list[int] = []
        self.recording = False
        self.recorded: list[bytearray] = []
        self.cuts = 0
        self._target = ("127.0.0.1", port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut(self) -> None:
        """Break every connection; new ones are silent until `mend`."""
        self._whole.clear()
        for connection in list(self._sockets):
            _hang_up(connection)

    def mend(self) -> None:
        self._whole.set()

    def close(self) -> None:
        _hang_up(self._server)  # wakes `accept`
        self._server.close()
        self.rate, self.delay_s = None, 0.0
        self.cut()
        self.mend()
        for thread in self._threads:
            thread.join()
        for connection in self._sockets:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._sockets.append(near)
                self._whole.wait()
                far = socket.create_connection(self._target)
                self._sockets.append(far)
                fuse = [self.fuses.pop(0)] if self.fuses else []
                record = bytearray()
                if self.recording:
                    self.recorded.append(record)
                self._start(self._forward, near, far, fuse, record)
                self._start(self._forward, far, near, fuse, bytearray())

    def _forward(self, source: socket.socket, target: socket.socket, fuse: list[int], record: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK if self.rate is None else 1024):
                if self.stalled:
                    continue
                if self.delay_s:
                    sleep(self.delay_s)
                if self.rate is not None:
                    sleep(len(data) / self.rate)
                if self.recording:
                    record += data
                if fuse:
                    with self._lock:
                        data, burnt = data[: fuse[0]], len(data) >= fuse[0]
                        fuse[0] -= len(data)
                    target.sendall(data)
                    if burnt:
                        self.cuts += 1
                        break
                else:
                    target.sendall(data)
        _hang_up(source)
        _hang_up(target)

    def _start(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
