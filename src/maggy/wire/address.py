"""The address at which others reach this machine."""

from __future__ import annotations

import socket


def own_address(driver: str) -> str:
    """The address of this machine on the way to the driver: whoever reaches the driver reaches this, as a rule.

    driver  where it listens, "tcp://host:port", "tcp://[host]:port" or "memory://name"

    Returns "127.0.0.1", or "::1", where that is this machine's own loopback. Nothing is sent. Raises OSError where the
    name of the host is not known here, or no way leads to it.
    """
    if driver.startswith("memory://"):
        return "127.0.0.1"
    host, _, port = driver.removeprefix("tcp://").rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET  # as the link takes it
    *_, place = socket.getaddrinfo(host.strip("[]"), int(port), family, socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as way:
        way.connect(place)  # of a datagram socket: this only looks up the route
        return str(way.getsockname()[0])
