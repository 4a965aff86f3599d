"""The address that a worker gives the other ranks of its gang."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from maggy.wire.address import own_address


@pytest.mark.parametrize("driver", ["tcp://127.0.0.1:5555", "tcp://localhost:5555", "memory://7f"])
def test_beside_the_driver_it_is_the_loopback(driver):
    assert own_address(driver) == "127.0.0.1"


def answers(family, address):
    """Whether a datagram from here to that address arrives."""
    with socket.socket(family, socket.SOCK_DGRAM) as there, socket.socket(family, socket.SOCK_DGRAM) as here:
        there.bind((address, 0))
        there.settimeout(30)
        here.sendto(b"hello", there.getsockname())
        return there.recv(16) == b"hello"


def has_route_to(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as way:
        try:
            way.connect((address, 9))
        except OSError:
            return False
        return True


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_with_a_driver_elsewhere_it_is_an_address_of_this_machine_that_is_no_loopback():
    far = "192.0.2.1"  # nobody's, by RFC 5737
    if not has_route_to(socket.AF_INET, far):
        pytest.skip("this machine has no network")
    own = own_address(f"tcp://{far}:5555")
    assert not ipaddress.ip_address(own).is_loopback
    assert answers(socket.AF_INET, own)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_with_a_driver_at_an_address_of_ipv6_it_is_one_too():
    own = own_address("tcp://[::1]:5555")
    assert own == "::1"
    assert answers(socket.AF_INET6, own)


def test_a_driver_whose_name_nobody_knows_is_an_error():
    with pytest.raises(socket.gaierror):
        own_address("tcp://driver.invalid:5555")
