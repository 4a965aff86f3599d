"""The driver's end of a channel to simulated workers: no bytes, no threads, and time is what the timeline says."""

from __future__ import annotations

from collections.abc import Callable

from maggy.simulation.timeline import Timeline
from maggy.wire.channel import Item, Peer
from maggy.wire.messages import FromDriver


class SimulatedListener:
    """Delivers at once, in both directions; see `Listener`.

    hearers  who is there: what takes the driver's messages, by session
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.hearers: dict[Peer, Callable[[FromDriver], None]] = {}
        self._arrived: list[tuple[Peer, Item]] = []
        self._awake = False

    def say(self, peer: Peer, item: Item) -> None:
        """A worker or a supervisor says something to the driver."""
        self._arrived.append((peer, item))

    def receive(self, timeout_s: float) -> list[tuple[Peer, Item]]:
        until = self._timeline.now + timeout_s
        while not (self._arrived or self._awake) and self._timeline.advance(until):
            pass  # whoever was to do something may have died before
        self._awake = False
        arrived, self._arrived = self._arrived, []
        return arrived

    def send(self, peer: Peer, message: FromDriver) -> None:
        hear = self.hearers.get(peer)
        if hear is not None:
            hear(message)

    def forget(self, peer: Peer) -> None:
        self.hearers.pop(peer, None)

    def wake(self) -> None:
        self._awake = True

    def close(self) -> None:
        self.hearers.clear()
