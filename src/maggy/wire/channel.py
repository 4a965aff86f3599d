"""The two ends of a channel, whatever carries it.

A worker's end makes a session, and every message arrives exactly once and in the order in which it was sent, in both
directions, however often the connection breaks, as long as both processes live. Heartbeats are signs of life and not
kept. What is not acknowledged is kept, up to a bound on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

from maggy.wire.messages import FromDriver, ToDriver

PING_MS, PING_TIMEOUT_MS = 5_000, 15_000
"""How often a quiet connection is tried, and how long it may take to answer.

Pings find a frozen host, not a slow function. The driver of many workers tries them less often.
"""

UNREACHABLE_S = 300.0
"""A link without a connection for so long gives up: no worker waits for ever for a driver that is gone."""

LINK_BYTES = 32 << 20
"""A link that keeps more than this is full: whoever can wait should."""

PEER_BYTES = 128 << 20
"""A peer that leaves more than this unacknowledged is cut off; it holds the largest task and what follows."""

Peer = bytes
"""Name of a session: the same on every connection that it makes."""


class Sign(Enum):
    """What happened to the connection of a peer that has said something before.

    Every break is told: at the latest when the peer is back, and then first.
    """

    GONE = "gone"
    BACK = "back"


class WrongVersion(NamedTuple):
    """Somebody with a worker's key was refused, because it speaks another version of the protocol."""

    theirs: int
    ours: int


Item = ToDriver | Sign | WrongVersion


class Listener(Protocol):
    """The driver's end. All but `wake` belong to one thread."""

    def receive(self, timeout_s: float) -> list[tuple[Peer, Item]]:
        """Wait for messages; at most `timeout_s` (infinity: until one comes or `wake` is called).

        A message is acknowledged, and so forgotten by its sender, only after the next call of `receive` or `send`:
        by then the driver has written down what it returned. So nothing acknowledged is ever unknown to the journal.
        """
        ...

    def send(self, peer: Peer, message: FromDriver) -> None:
        """Send without waiting; kept while the peer is away, dropped if it was forgotten.

        A peer that leaves too much unacknowledged is forgotten and cut off.
        """
        ...

    def forget(self, peer: Peer) -> None:
        """Drop a session for good; should it come back, it is refused and so released."""
        ...

    def wake(self) -> None:
        """Make `receive` return; from any thread."""
        ...

    def close(self) -> None: ...


class Link(Protocol):
    """A worker's end.

    error  why the driver refused it, or why it gave up; None if neither happened
    """

    error: str | None

    @property
    def full(self) -> bool:
        """Whether more is unacknowledged than should be: the driver is away, or pauses."""
        ...

    def send(self, message: ToDriver) -> None:
        """Queue a message; never waits, not even if the link is full. From any thread, kept in order.

        Raises ValueError for one that is larger than the driver accepts.
        """
        ...

    def close(self) -> None:
        """Send what is queued, for a short while, and hang up."""
        ...


OnMessage = Callable[[FromDriver], None]
"""Called for each message in a thread of the link's own; must be quick.

A link that is refused, or gives up, calls it with `Release(0)`.
"""
