"""The encrypted channel against strangers, rubbish, and peers that do not listen."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from time import monotonic

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from maggy.errors import EngineError
from maggy.testing.channels import HELLO, PATIENCE_S, points
from maggy.ticket import Ticket
from maggy.wire.keys import KeyPair
from maggy.wire.link import SocketLink
from maggy.wire.listener import SocketListener
from maggy.wire.messages import (
    MAX_MESSAGE_BYTES,
    Enlisted,
    Heartbeat,
    Log,
    Ready,
    Rejoin,
    Release,
    RunTrial,
    decode_from_driver,
    encode,
)


class Experiment:
    """A listener, and whoever wants to talk to it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = f"[{host}]" if ":" in host else host
        self.driver, self.workers = KeyPair.fresh(), KeyPair.fresh()
        self.listener = SocketListener(host, self.workers.public, self.driver)
        self.closing = contextlib.ExitStack()
        self.closing.callback(self.listener.close)
        self._unread = []

    def link(self, *, driver: KeyPair | None = None, worker: KeyPair | None = None, on_message=lambda m: None):
        worker = worker or self.workers
        ticket = Ticket(
            address=f"tcp://{self.host}:{self.listener.port}",
            experiment="e",
            seat=0,
            server_key=(driver or self.driver).public,
            public_key=worker.public,
            secret_key=worker.secret,
        )
        link = SocketLink(ticket, lambda: [HELLO], on_message)
        self.closing.callback(link.close)
        return link

    def dealer(self, driver: KeyPair | None = None) -> zmq.Socket[bytes]:
        """A socket with the right key, which says what the test wants."""
        context = self.closing.enter_context(zmq.Context())
        dealer = self.closing.enter_context(context.socket(zmq.DEALER))
        dealer.linger = 0
        dealer.curve_serverkey = (driver or self.driver).public.encode()
        dealer.curve_publickey = self.workers.public.encode()
        dealer.curve_secretkey = self.workers.secret.encode()
        dealer.connect(f"tcp://{self.host}:{self.listener.port}")
        return dealer

    def stranger(self) -> socket.socket:
        """A plain TCP connection."""
        connection = socket.create_connection((self.host, self.listener.port), timeout=PATIENCE_S)
        return self.closing.enter_context(connection)

    def take(self):
        """The next that the listener receives."""
        self.serve_until(lambda: bool(self._unread))
        return self._unread.pop(0)

    def serve_until(self, done: Callable[[], bool]) -> None:
        """Let the listener work; whatever it receives can be taken later."""
        until = monotonic() + PATIENCE_S
        while not done():
            assert monotonic() < until, f"waited for {PATIENCE_S:g} s"
            self._unread += self.listener.receive(0.02)

    def has_received(self) -> list:
        return [*self._unread, *self.listener.receive(0)]


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


# --- rubbish


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param(os.urandom(100_000), id="random bytes"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: driver\r\n\r\n", id="a browser"),
        pytest.param(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01CURVE" + bytes(47) + os.urandom(1000), id="a good start"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_stranger_disturbs_nobody_whatever_it_says(experiment, rubbish):
    link = experiment.link()
    peer, _ = experiment.take()
    stranger = experiment.stranger()
    with contextlib.suppress(ConnectionError):  # the listener may have heard enough
        stranger.sendall(rubbish)
    link.send(Heartbeat())
    assert experiment.take() == (peer, Heartbeat())
    experiment.link()
    assert experiment.take()[1] == HELLO
    assert experiment.has_received() == []


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([b""], id="nothing"),
        pytest.param([b"\xc1rubbish"], id="rubbish"),
        pytest.param([b"\x91\xa1\x80"], id="text that is not UTF-8"),
        pytest.param([b"\x95\xa8Finished\x00\x00\xcb" + bytes(8) + b"\x81\xa1a" + b"\x91" * 5000], id="too deep"),
        pytest.param([encode(Enlisted(1.0))], id="what only the driver says"),
        pytest.param([encode(Ready()), encode(Ready())], id="two frames"),
        pytest.param([b"", encode(Ready())], id="an envelope"),
    ],
)
def test_rubbish_from_a_key_holder_is_passed_over_and_what_follows_is_heard(experiment, frames):
    dealer = experiment.dealer()
    dealer.send_multipart(frames)  # before it has said who it is
    dealer.send(encode(HELLO))
    dealer.send_multipart(frames)
    dealer.send(encode(Ready()))
    assert experiment.take()[1] == HELLO
    assert experiment.take()[1] == Ready()
    assert experiment.has_received() == []


def test_whoever_sends_too_much_is_cut_off_and_nobody_else(experiment):
    good, bad = experiment.link(), experiment.link()
    peers = {experiment.take()[0], experiment.take()[0]}
    bad.send(Log(0, 0, ["x" * (2 * MAX_MESSAGE_BYTES)]))
    peer_of_bad, nothing = experiment.take()
    assert nothing is None
    (peer_of_good,) = peers - {peer_of_bad}
    good.send(Heartbeat())
    after = {experiment.take(), experiment.take()}  # the one that was cut off comes back
    (new_peer_of_bad,) = {peer for peer, _ in after} - {peer_of_good}
    assert after == {(peer_of_good, Heartbeat()), (new_peer_of_bad, HELLO)}
    bad.send(points(1))
    assert experiment.take() == (new_peer_of_bad, points(1))


def test_the_largest_message_that_is_allowed_arrives(experiment):
    link = experiment.link()
    experiment.take()
    room = MAX_MESSAGE_BYTES - len(encode(Log(0, 0, ["x" * 70_000]))) + 70_000
    message = Log(0, 0, ["x" * room])
    assert len(encode(message)) == MAX_MESSAGE_BYTES
    link.send(message)
    assert experiment.take()[1] == message
    link.send(Log(0, 0, ["x" * (room + 100)]))
    assert experiment.take()[1] is None


# --- peers that are unknown, and peers that do not listen


def test_whoever_does_not_say_who_it_is_is_asked_to(experiment):
    dealer = experiment.dealer()
    dealer.send(encode(Heartbeat()))
    experiment.serve_until(lambda: dealer.poll(0) != 0)
    assert decode_from_driver(dealer.recv()) == Rejoin()
    assert experiment.has_received() == []
    dealer.send(encode(HELLO))
    dealer.send(encode(Heartbeat()))
    assert [experiment.take()[1], experiment.take()[1]] == [HELLO, Heartbeat()]


def test_a_peer_that_does_not_read_never_holds_up_the_driver(experiment):
    deaf = experiment.dealer()
    deaf.send(encode(HELLO))
    peer_of_deaf, _ = experiment.take()
    got: SimpleQueue = SimpleQueue()
    experiment.link(on_message=got.put)
    peer, _ = experiment.take()
    for _ in range(20_000):  # 20 MB, more than any buffer on the way would take
        experiment.listener.send(peer_of_deaf, RunTrial(0, 0, {"text": "x" * 1000}))
    experiment.listener.send(peer, Enlisted(1.0))
    assert got.get(timeout=PATIENCE_S) == Enlisted(1.0)


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
