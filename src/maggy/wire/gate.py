"""The gate: lets workers in, and keeps those who have not said who they are few.

It has a thread of its own, so that neither a busy driver nor thousands of silent connections keep a worker out. ZeroMQ
asks it about every key, and tells it of every connection that comes and goes, by file descriptor. Descriptors are used
again, so each connection gets a number here.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import threading
from collections import deque
from collections.abc import Callable

import zmq

from maggy.wire.monitor import read_news
from maggy.wire.waker import Waker

_WATCHED = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED  # nothing else: a listener out of descriptors floods its monitor
_OTHER_FILES = 1024  # descriptors left to the rest of the process


class Gate(threading.Thread):
    """Guards a listening socket.

    key    the public key, in binary, that is let in
    limit  connections at most that have not opened a session; beyond it the oldest of them is shut
    wake   called when there is something in `lost`
    lost   numbers of connections that had opened a session and are gone, in that order
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], key: bytes, limit: int, wake: Callable[[], None]
    ) -> None:
        super().__init__(name="maggy-gate", daemon=True)
        self.lost: deque[int] = deque()
        self._key, self._limit, self._wake = key, limit, wake
        self._lock = threading.Lock()  # held for every call on the two sockets
        self._accepted = 0
        self._strangers: dict[int, int] = {}  # numbers by descriptor, the oldest first
        self._known: dict[int, int] = {}
        self._waker = Waker()
        self._closing = False
        self._port = 0
        self._guarded: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._keys = context.socket(zmq.REP)
        self._keys.linger = 0
        self._keys.bind("inproc://zeromq.zap.01")  # has to stand before the socket it guards listens
        _allow_files(2 * limit + _OTHER_FILES)

    def watch(self, guarded: zmq.Socket[bytes]) -> None:
        """Say which socket is guarded; before it listens."""
        self._guarded = guarded
        # Without a limit: ZeroMQ's own thread waits where the queue is full, and whoever ends the monitor waits for it.
        address = f"inproc://monitor-of-{id(self)}"
        guarded.monitor(address, _WATCHED)
        self._monitor = guarded.context.socket(zmq.PAIR)
        self._monitor.rcvhwm = 0
        self._monitor.connect(address)

    def open(self, port: int) -> None:
        """Begin; the guarded socket listens on this port."""
        self._port = port
        self.start()

    def admit(self, descriptor: int) -> int:
        """A connection has opened a session: its number; 0 if it is gone already."""
        with self._lock:
            self._count()  # first: the descriptor may be one that was just freed
            if descriptor in self._strangers:
                self._known[descriptor] = self._strangers.pop(descriptor)
            return self._known.get(descriptor, 0)

    def shut(self, descriptor: int) -> None:
        """End a connection. A descriptor that is none, or not of a connection to our port, is left alone."""
        # The copy of the descriptor cannot become another's while it is looked at.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            if connection.getsockname()[1] == self._port:
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closing = True
        self._waker.wake()
        if self.is_alive():
            self.join()
        if self._guarded is not None and self._monitor is not None:
            self._guarded.disable_monitor()
            self._monitor.close()
        self._keys.close()
        self._waker.close()

    def run(self) -> None:
        assert self._monitor is not None
        poll = select.poll()
        for source in (int(self._monitor.FD), int(self._keys.FD), self._waker.reader.fileno()):
            poll.register(source, select.POLLIN)
        while not self._closing:
            with self._lock:
                self._answer()
                self._count()
            poll.poll()
            self._waker.drain()

    def _answer(self) -> None:
        while True:
            try:
                frames = self._keys.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            welcome = frames[5] == b"CURVE" and frames[6] == self._key
            status, user = (b"200", b"worker") if welcome else (b"400", b"")
            self._keys.send_multipart([b"1.0", frames[1], status, b"", user, b""])

    def _count(self) -> None:
        assert self._monitor is not None
        while True:
            try:
                event, descriptor = read_news(self._monitor, zmq.NOBLOCK)
            except zmq.Again:
                return
            if event == zmq.EVENT_ACCEPTED:
                self._accepted += 1
                self._strangers[descriptor] = self._accepted
                if len(self._strangers) > self._limit:
                    oldest = next(iter(self._strangers))
                    del self._strangers[oldest]
                    self.shut(oldest)
            elif (number := self._known.pop(descriptor, 0)) != 0:
                self.lost.append(number)
                self._wake()
            else:
                self._strangers.pop(descriptor, None)


def _allow_files(count: int) -> None:
    """Let this process have so many files open, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
