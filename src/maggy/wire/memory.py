"""A channel within one process: for the inline engine, and for tests that cut it.

Frames lie in the listener's inbox until it receives; a connection that is cut takes its frames along, as a network
would. What the listener sends is delivered at once.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from enum import Enum
from math import isinf

from maggy.wire.channel import LINK_BYTES, PEER_BYTES, Item, OnMessage, Peer, Sign
from maggy.wire.messages import MAX_MESSAGE_BYTES, FromDriver, Heartbeat, Release, ToDriver, encode
from maggy.wire.session import Session

_hubs: dict[str, MemoryListener] = {}
_numbers = itertools.count(1)


class _Connection(Enum):
    """What a link does with its connection."""

    OPEN = 1
    END = 2


class _Line(Session[FromDriver]):
    """A session at the listener; `connection` is 0 while it has none."""

    def __init__(self, link: MemoryLink) -> None:
        super().__init__()
        self.link, self.connection = link, 0


class MemoryListener:
    """The driver's end; `address` is what workers connect to."""

    def __init__(self) -> None:
        self.address = f"memory://{next(_numbers)}"
        self._inbox: deque[tuple[MemoryLink, int, int, int, ToDriver | _Connection | None]] = deque()
        self._awake = threading.Event()
        self._lines: dict[Peer, _Line] = {}
        self._heard: dict[Peer, _Line] = {}
        self._signs: list[tuple[Peer, Item]] = []
        _hubs[self.address] = self

    def receive(self, timeout_s: float) -> list[tuple[Peer, Item]]:
        self._settle()
        for line in self._heard.values():
            if line.owes:
                line.link.deliver(line.connection, 0, line.acknowledgement(), None)
        self._heard.clear()
        arrived, self._signs = self._signs, []
        self._awake.wait(0 if arrived else None if isinf(timeout_s) else timeout_s)
        self._awake.clear()
        while self._inbox:
            self._take(*self._inbox.popleft(), arrived)
        return arrived

    def send(self, peer: Peer, message: FromDriver) -> None:
        self._settle()
        if (line := self._lines.get(peer)) is None:
            return
        line.put(message, len(encode(message)))
        self._push(line)
        if line.size > PEER_BYTES:
            if line.connection:
                self._signs.append((peer, Sign.GONE))
            self.forget(peer)
            line.link.refuse(line.connection)

    def forget(self, peer: Peer) -> None:
        self._lines.pop(peer, None)

    def wake(self) -> None:
        self._awake.set()

    def close(self) -> None:
        _hubs.pop(self.address, None)
        self._lines.clear()

    def put(
        self, link: MemoryLink, connection: int, number: int, heard: int, content: ToDriver | _Connection | None
    ) -> None:
        """A frame arrives; from any thread."""
        self._inbox.append((link, connection, number, heard, content))
        self._awake.set()

    def _take(
        self,
        link: MemoryLink,
        connection: int,
        number: int,
        heard: int,
        content: ToDriver | _Connection | None,
        arrived: list[tuple[Peer, Item]],
    ) -> None:
        if content is _Connection.OPEN:
            self._open(link, connection, heard, arrived)
            return
        line = self._lines.get(link.name)
        if line is None or line.connection != connection:
            return
        if content is _Connection.END:
            line.connection = 0
            if line.begun:
                arrived.append((link.name, Sign.GONE))
        elif link.connection == connection:  # else it was cut with this frame under way
            line.acknowledged(heard)
            self._push(line)
            if content is not None and (number == 0 or line.accept(number, 0)):
                self._heard[link.name] = line
                arrived.append((link.name, content))

    def _open(self, link: MemoryLink, connection: int, heard: int, arrived: list[tuple[Peer, Item]]) -> None:
        line = self._lines.get(link.name)
        if line is None and link.answered:
            link.refuse(connection)
            return
        if line is None:
            line = self._lines[link.name] = _Line(link)
        elif line.connection == 0 and line.begun:
            arrived.append((link.name, Sign.BACK))
        line.connection = connection
        line.resume(heard)
        link.open(connection, line.acknowledgement())
        self._push(line)

    def _push(self, line: _Line) -> None:
        while line.connection and (item := line.peek()) is not None:
            number, message = item
            line.advance()  # first: the link may answer at once
            line.link.deliver(line.connection, number, line.acknowledgement(), message)

    def _settle(self) -> None:
        for line in self._heard.values():
            line.settle()


class MemoryLink:
    """A worker's end. `cut` and `mend` break the connection and make a new one, as a network would."""

    def __init__(self, address: str, on_message: OnMessage) -> None:
        self.error: str | None = None
        self.name: Peer = b"memory-%d" % next(_numbers)
        self.answered = False  # whether the listener has ever answered
        self.connection = 0  # number of the connection; 0 for none
        self._hub = _hubs[address]
        self._on_message = on_message
        self._lock = threading.Lock()  # held for the session, and never for a handler
        self._session: Session[ToDriver] = Session()
        self._ready = False  # whether the listener has answered on this connection
        self.mend()

    @property
    def full(self) -> bool:
        return self._session.size > LINK_BYTES

    def send(self, message: ToDriver) -> None:
        size = len(encode(message))
        if size > MAX_MESSAGE_BYTES:
            raise ValueError(
                f"a {type(message).__name__} of {size} bytes: the driver takes {MAX_MESSAGE_BYTES} at most"
            )
        with self._lock:
            if not isinstance(message, Heartbeat):
                self._session.put(message, size)
                self._push()
            elif self._ready:
                self._hub.put(self, self.connection, 0, self._session.acknowledgement(), message)

    def cut(self) -> None:
        with self._lock:
            self._end()
            self.connection = 0

    def mend(self) -> None:
        with self._lock:
            if not self.connection:
                self.connection = next(_numbers)
                self._hub.put(self, self.connection, 0, self._session.acknowledgement(), _Connection.OPEN)

    def close(self) -> None:
        """Hang up; what is under way still arrives."""
        with self._lock:
            self._end()

    # --- for the listener, in its thread

    def open(self, connection: int, heard: int) -> None:
        """The listener has answered, and has heard so much."""
        with self._lock:
            if connection == self.connection:
                self._ready = self.answered = True
                self._session.resume(heard)
                self._push()

    def deliver(self, connection: int, number: int, heard: int, message: FromDriver | None) -> None:
        """A frame arrives, unless its connection was cut."""
        with self._lock:
            if connection != self.connection:
                return
            self._session.acknowledged(heard)
            self._push()
            new = number != 0 and self._session.accept(number, 0)
            self._session.settle()
            if self._session.owes and self._ready:
                self._hub.put(self, self.connection, 0, self._session.acknowledgement(), None)
        if new and message is not None:
            self._on_message(message)

    def refuse(self, connection: int) -> None:
        """The listener has forgotten this session."""
        if connection == self.connection and self.error is None:
            self.error = "the driver does not know this worker any more"
            self._ready = False
            self._on_message(Release(grace_s=0.0))

    def _end(self) -> None:
        if self.connection:
            self._hub.put(self, self.connection, 0, 0, _Connection.END)
        self._ready = False

    def _push(self) -> None:
        while self._ready and (item := self._session.peek()) is not None:
            number, message = item
            self._hub.put(self, self.connection, number, self._session.acknowledgement(), message)
            self._session.advance()
