"""Typed messages, and the channels that carry them between driver and workers."""

from __future__ import annotations

from maggy.ticket import Ticket
from maggy.wire.channel import Link, OnMessage


def connect(ticket: Ticket, on_message: OnMessage) -> Link:
    """The worker's end of the channel that a ticket names.

    on_message  called for each message, in a thread of the link's own
    """
    if ticket.address.startswith("memory:"):
        from maggy.wire.memory import MemoryLink

        return MemoryLink(ticket.address, on_message)
    from maggy.wire.link import SocketLink

    return SocketLink(ticket, on_message)
