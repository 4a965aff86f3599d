"""A channel within one process: for the inline engine, and for tests that cut and stall it."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from math import isinf

from maggy.wire.channel import Greeting, OnMessage, Peer
from maggy.wire.messages import FromDriver, Rejoin, ToDriver

_hubs: dict[str, MemoryListener] = {}
_numbers = itertools.count()


class MemoryListener:
    """The driver's end; `address` is what workers connect to."""

    def __init__(self) -> None:
        self.address = f"memory://{next(_numbers)}"
        self._inbox: deque[tuple[Peer, ToDriver | None]] = deque()
        self._awake = threading.Event()
        self._links: dict[Peer, MemoryLink] = {}
        _hubs[self.address] = self

    def receive(self, timeout_s: float) -> list[tuple[Peer, ToDriver | None]]:
        self._awake.wait(None if isinf(timeout_s) else timeout_s)
        self._awake.clear()
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def send(self, peer: Peer, message: FromDriver) -> None:
        if (link := self._links.get(peer)) is not None:
            link.deliver(message)

    def wake(self) -> None:
        self._awake.set()

    def close(self) -> None:
        _hubs.pop(self.address, None)
        self._links.clear()

    def attach(self, link: MemoryLink) -> Peer:
        peer = b"memory-%d" % next(_numbers)
        self._links[peer] = link
        return peer

    def detach(self, peer: Peer) -> None:
        self._links.pop(peer, None)
        self.push(peer, None)

    def push(self, peer: Peer, message: ToDriver | None) -> None:
        self._inbox.append((peer, message))
        self._awake.set()


class MemoryLink:
    """A worker's end. `cut` and `mend` break the connection and make a new one, as a network would."""

    def __init__(self, address: str, greeting: Greeting, on_message: OnMessage) -> None:
        self._hub = _hubs[address]
        self._greeting, self._on_message = greeting, on_message
        self._peer: Peer | None = None
        self._unsent: deque[ToDriver] = deque()
        self.mend()

    def send(self, message: ToDriver) -> None:
        if self._peer is None:
            self._unsent.append(message)
        else:
            self._hub.push(self._peer, message)

    def deliver(self, message: FromDriver) -> None:
        if isinstance(message, Rejoin):
            for greeting in self._greeting():
                self.send(greeting)
        else:
            self._on_message(message)

    def cut(self) -> None:
        if self._peer is not None:
            self._hub.detach(self._peer)
            self._peer = None

    def mend(self) -> None:
        self._peer = self._hub.attach(self)
        hello, *unanswered = self._greeting()
        waiting = list(self._unsent)
        self._unsent.clear()
        for message in (hello, *waiting, *(message for message in unanswered if message not in waiting)):
            self.send(message)

    def close(self) -> None:
        self.cut()
