"""Typed messages, and the channels that carry them between driver and workers."""

from __future__ import annotations

from maggy.ticket import Ticket
from maggy.wire.channel import Greeting, Link, OnMessage


def connect(ticket: Ticket, greeting: Greeting, on_message: OnMessage) -> Link:
    """The worker's end of the channel that a ticket names.

    greeting    called whenever a connection is made; what it returns is sent first
    on_message  called for each message, in a thread of the link's own
    """
    if ticket.address.startswith("memory:"):
        from maggy.wire.memory import MemoryLink

        return MemoryLink(ticket.address, greeting, on_message)
    from maggy.wire.link import SocketLink

    return SocketLink(ticket, greeting, on_message)
