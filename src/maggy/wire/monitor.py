"""What ZeroMQ tells of a socket's connections. Its own reader of that loads asyncio, which nobody needs here."""

from __future__ import annotations

import struct
from typing import NamedTuple

import zmq

_EVENT = struct.Struct("=Hi")


class News(NamedTuple):
    """What has happened to a connection.

    event  one of ZeroMQ's numbers
    value  file descriptor of the connection, for most events
    """

    event: int
    value: int


def read_news(monitor: zmq.Socket[bytes], flags: int = 0) -> News:
    """The next news on a monitor. Raises zmq.Again if there is none, and `flags` say not to wait."""
    event, _endpoint = monitor.recv_multipart(flags)
    return News(*_EVENT.unpack(event))
