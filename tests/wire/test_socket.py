"""The encrypted channel: keys and addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
import zmq
from wire.helpers import Experiment
from zmq.utils.monitor import recv_monitor_message

from maggy.errors import EngineError
from maggy.testing.channels import HELLO, PATIENCE_S
from maggy.ticket import Ticket
from maggy.wire.keys import KeyPair
from maggy.wire.listener import SocketListener
from maggy.wire.messages import Enlisted, Heartbeat, Release, encode


@pytest.fixture
def experiment() -> Iterator[Experiment]:
    experiment = Experiment()
    yield experiment
    experiment.closing.close()


# --- keys


def test_a_worker_with_another_key_is_refused_and_knows_it(experiment):
    told = SimpleQueue()
    stranger = experiment.link(worker=KeyPair.fresh(), on_message=told.put)
    stranger.send(Heartbeat())
    experiment.serve_until(lambda: not told.empty())
    assert stranger.error == "the driver refused this worker's key"
    assert told.get() == Release(grace_s=0.0)  # so that it does not wait for ever
    assert experiment.has_received() == []

    experiment.link()
    assert experiment.take()[1] == HELLO


def test_a_worker_that_takes_another_driver_for_its_own_tells_it_nothing(experiment):
    dealer = experiment.dealer(driver=KeyPair.fresh())
    monitor = experiment.closing.enter_context(dealer.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL))
    dealer.send(encode(HELLO))
    for _ in range(2):  # it tries again, in vain
        experiment.serve_until(lambda: monitor.poll(0) != 0)
        assert recv_monitor_message(monitor)["event"] == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    assert experiment.has_received() == []
    dealer.disable_monitor()


def test_a_peer_without_any_key_is_refused(experiment):
    context = experiment.closing.enter_context(zmq.Context())
    dealer = experiment.closing.enter_context(context.socket(zmq.DEALER))
    dealer.linger = 0
    monitor = experiment.closing.enter_context(dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED))
    dealer.connect(f"tcp://127.0.0.1:{experiment.listener.port}")
    dealer.send(encode(HELLO))
    experiment.serve_until(lambda: monitor.poll(0) != 0)
    assert experiment.has_received() == []
    dealer.disable_monitor()


def test_secret_keys_are_never_shown():
    pair = KeyPair.fresh()
    ticket = Ticket(address="tcp://h:1", experiment="e", seat=0, public_key=pair.public, secret_key=pair.secret)
    assert len(pair.secret) == len(pair.public) == 40
    assert pair.secret not in repr(pair) + str(pair)
    assert pair.secret not in repr(ticket) + str(ticket)
    assert pair.public in repr(pair)
    assert Ticket.from_json(ticket.to_json()) == ticket


def test_every_experiment_has_keys_of_its_own():
    assert KeyPair.fresh() != KeyPair.fresh()


# --- addresses


def test_nobody_reaches_the_driver_at_another_address_of_its_machine(experiment):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", experiment.listener.port))
    experiment.stranger()


def test_a_driver_on_an_ipv6_address_is_reached():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    experiment = Experiment("::1")
    got: SimpleQueue = SimpleQueue()
    experiment.link(on_message=got.put)
    peer, hello = experiment.take()
    assert hello == HELLO
    experiment.listener.send(peer, Enlisted(1.0))
    assert got.get(timeout=PATIENCE_S) == Enlisted(1.0)
    experiment.closing.close()


def test_an_address_that_is_not_this_machines_is_an_error():
    with pytest.raises(EngineError, match=r"the driver cannot listen on '192\.0\.2\.1': "):
        SocketListener("192.0.2.1", KeyPair.fresh().public, KeyPair.fresh())


def test_a_link_can_be_closed_though_it_never_reached_anybody():
    free = socket.create_server(("127.0.0.1", 0))
    experiment = Experiment()
    experiment.listener.close()
    link = experiment.link()
    link.send(Heartbeat())
    link.close()
    assert not link.is_alive()
    free.close()
    experiment.closing.close()
