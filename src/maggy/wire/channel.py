"""The two ends of a channel, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from maggy.wire.messages import FromDriver, ToDriver

PING_MS, PING_TIMEOUT_MS = 5_000, 15_000
"""How often a quiet connection is tried. Pings find a frozen host, not a slow function."""

Peer = bytes
"""Name of a connection, as the channel gives it; a peer that reconnects has a new one."""


class Listener(Protocol):
    """The driver's end. All but `wake` belong to one thread."""

    def receive(self, timeout_s: float) -> list[tuple[Peer, ToDriver | None]]:
        """Wait for messages; at most `timeout_s` (infinity: until one comes or `wake` is called).

        None in place of a message says that this connection is gone.
        """
        ...

    def send(self, peer: Peer, message: FromDriver) -> None:
        """Send without waiting; dropped if the peer is gone or does not read."""
        ...

    def wake(self) -> None:
        """Make `receive` return; from any thread."""
        ...

    def close(self) -> None: ...


class Link(Protocol):
    """A worker's end."""

    def send(self, message: ToDriver) -> None:
        """Queue a message; never waits. From any thread, kept in order."""
        ...

    def close(self) -> None:
        """Send what is queued, for a short while, and hang up."""
        ...


OnMessage = Callable[[FromDriver], None]
"""Called for each message in a thread of the link's own; must be quick."""

Greeting = Callable[[], list[ToDriver]]
"""What to say whenever a connection is made: first who this is, then whatever still awaits an answer."""
