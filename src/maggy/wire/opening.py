"""Opening a channel: the driver's end, and a ticket for each worker."""

from __future__ import annotations

import secrets

from maggy.ticket import Ticket
from maggy.wire.channel import Listener
from maggy.wire.keys import KeyPair
from maggy.wire.memory import MemoryListener


def open_channel(
    bind_host: str | None, advertised_host: str | None, seats: int, entry: str
) -> tuple[Listener, list[Ticket]]:
    """The driver's end of a fresh channel, and the tickets that lead to it.

    bind_host        address to listen on; None: within this process
    advertised_host  address under which workers reach it
    entry            what a ticket's holder runs

    Keys are made here, for this experiment alone. Raises EngineError if the address cannot be listened on.
    """
    experiment = secrets.token_hex(8)
    if bind_host is None:
        hub = MemoryListener()
        return hub, [
            Ticket(address=hub.address, experiment=experiment, seat=seat, entry=entry) for seat in range(seats)
        ]
    from maggy.wire.listener import SocketListener

    own, workers = KeyPair.fresh(), KeyPair.fresh()
    listener = SocketListener(bind_host, workers.public, own, limit=4 * seats + 128)
    host = advertised_host or bind_host
    return listener, [
        Ticket(
            address=f"tcp://[{host}]:{listener.port}" if ":" in host else f"tcp://{host}:{listener.port}",
            experiment=experiment,
            seat=seat,
            entry=entry,
            server_key=own.public,
            public_key=workers.public,
            secret_key=workers.secret,
        )
        for seat in range(seats)
    ]
