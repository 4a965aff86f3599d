"""The bookkeeping of a conversation that outlives its connections: every message once, in order.

Each side numbers what it says, from 1, and keeps it until the other side has acknowledged it. A connection that breaks
takes with it whatever was under way; on the next one each side says how far it has heard, and the other goes on from
there. No I/O and no clock: whoever owns a session moves what it hands out.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

WINDOW = 256
"""Messages under way at most; the next one leaves when one of these is acknowledged."""

ACK_EVERY, ACK_BYTES = 32, 1 << 20
"""So much that was dealt with is acknowledged even if there is nothing else to say."""

_OVERHEAD_BYTES = 256  # what Python needs to keep a message, whatever its size

Item = TypeVar("Item")


class Session(Generic[Item]):
    """One side of a conversation.

    size  bytes kept because they are not acknowledged
    """

    def __init__(self) -> None:
        self.size = 0
        self._kept: deque[tuple[Item, int]] = deque()
        self._first = 1  # number of the oldest that is kept
        self._next = 1  # number of the one that leaves next
        self._heard = self._dealt = self._told = 0
        self._unacknowledged_bytes = 0

    # --- what this side says

    def put(self, item: Item, size: int) -> None:
        """Say something next; `size` in bytes."""
        self._kept.append((item, size + _OVERHEAD_BYTES))
        self.size += size + _OVERHEAD_BYTES

    def peek(self) -> tuple[int, Item] | None:
        """What leaves next, with its number; None if nothing may leave now."""
        place = self._next - self._first
        return (self._next, self._kept[place][0]) if place < min(len(self._kept), WINDOW) else None

    @property
    def unsent(self) -> bool:
        """Whether something has not left yet."""
        return self._next - self._first < len(self._kept)

    def advance(self) -> None:
        """What `peek` returned has left."""
        self._next += 1

    def acknowledged(self, number: int) -> None:
        """The other side has dealt with everything up to this number; what was never said is passed over."""
        while self._first <= number and self._kept:
            self.size -= self._kept.popleft()[1]
            self._first += 1
        self._next = max(self._next, self._first)

    def resume(self, number: int) -> None:
        """There is a new connection, and this is how far the other side has heard: go on from there."""
        self.acknowledged(number)
        self._next = self._first

    # --- what the other side says

    def accept(self, number: int, size: int) -> bool:
        """Whether a message of this number is the next one; any other was heard before, and is passed over."""
        if number != self._heard + 1:
            return False
        self._heard = number
        self._unacknowledged_bytes += size
        return True

    @property
    def begun(self) -> bool:
        """Whether anything was ever heard."""
        return self._heard > 0

    def settle(self) -> None:
        """Whatever was heard has been dealt with, and may be acknowledged."""
        self._dealt = self._heard

    def acknowledgement(self) -> int:
        """The number up to which everything was dealt with; the caller sends it."""
        if self._told != self._dealt:
            self._told = self._dealt
            self._unacknowledged_bytes = 0
        return self._dealt

    @property
    def owes(self) -> bool:
        """Whether so much is unacknowledged that it should be said now."""
        open_messages = self._dealt - self._told
        return open_messages >= ACK_EVERY or (open_messages > 0 and self._unacknowledged_bytes >= ACK_BYTES)
