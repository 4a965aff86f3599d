"""Which network interface has an address."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_SIOCGIFADDR = 0x8915
_IPV6 = Path("/proc/net/if_inet6")


def interface_of(host: str) -> str | None:
    """The name of the interface that has the address of a host, e.g. "eth0"; None where none is found.

    It is found on Linux, for the first IPv4 address of an interface and all of its IPv6 addresses.
    """
    if sys.platform != "linux":
        return None
    wanted = {ipaddress.ip_address(info[4][0]) for info in socket.getaddrinfo(host, None)}
    loopback = any(address.is_loopback for address in wanted)
    for name, address in _addresses():
        if address in wanted or (loopback and address.is_loopback):
            return name
    return None


def _addresses() -> Iterator[tuple[str, ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, request)
            except OSError:  # it has no IPv4 address
                continue
            yield name, ipaddress.IPv4Address(answer[20:24])
    for line in _IPV6.read_text().splitlines() if _IPV6.exists() else ():
        digits, *_, name = line.split()
        yield name, ipaddress.IPv6Address(bytes.fromhex(digits))
