"""The address at which others reach this machine."""

from __future__ import annotations

import socket


def own_address(driver: str) -> str:
    """The address of this machine on the way to the driver, by which other workers reach it too.

    driver  as tickets have it, e.g. "tcp://10.0.0.1:4711"; no packet is sent there
    """
    scheme, _, place = driver.partition("://")
    host, _, port = place.rpartition(":")
    if scheme != "tcp":
        return "127.0.0.1"
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        own: str = probe.getsockname()[0]
        return own
