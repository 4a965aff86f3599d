"""Strangers, thieves and babblers at a listener, while a worker goes on working."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

import pytest
from wire.helpers import NAME, Experiment, numbered, opening
from wire.proxy import Proxy

from maggy.testing.channels import HELLO, PATIENCE_S, points
from maggy.wire.channel import PEER_BYTES, Sign, WrongVersion
from maggy.wire.frames import PROTOCOL, Opened, Refused, two_versions
from maggy.wire.messages import MAX_MESSAGE_BYTES, Enlisted, Heartbeat, Log, Metrics, Ready, Release, Welcome, encode

LIMIT = 64
SILENT = 2_000
"""Connections that say nothing, at once."""


@pytest.fixture
def experiment() -> Iterator[Experiment]:
    experiment = Experiment(limit=LIMIT)
    yield experiment
    experiment.closing.close()


class Work:
    """A worker that goes on working, whatever the others do."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._told: SimpleQueue = SimpleQueue()
        self.link = experiment.link(on_message=self._told.put)
        self.peer, hello = experiment.take()
        assert hello == HELLO
        self._steps = 0

    def goes_on(self) -> None:
        """A hundred points arrive, and a hundred orders; nothing else does, and no connection breaks."""
        sent = [points(step) for step in range(self._steps, self._steps + 100)]
        self._steps += 100
        for point in sent:
            self.link.send(point)
        assert [self._experiment.take() for _ in sent] == [(self.peer, point) for point in sent]
        for point in sent:
            self._experiment.listener.send(self.peer, Enlisted(float(point.steps[0])))
        told = [self._told.get(timeout=PATIENCE_S) for _ in sent]
        assert told == [Enlisted(float(point.steps[0])) for point in sent]
        assert self._experiment.has_received() == []


@pytest.fixture
def work(experiment) -> Work:
    return Work(experiment)


def wait_until_hung_up(connection: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass


# --- without a key


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param(random.Random(1).randbytes(100_000), id="random bytes"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: driver\r\n\r\n", id="a browser"),
        pytest.param(
            b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01CURVE" + bytes(47) + random.Random(2).randbytes(1000), id="a good start"
        ),
        pytest.param(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01CURVE" + bytes(40), id="half a greeting"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_stranger_disturbs_nobody_whatever_it_says(experiment, work, rubbish):
    stranger = experiment.stranger()
    with contextlib.suppress(ConnectionError):  # the listener may have heard enough
        stranger.sendall(rubbish)
    work.goes_on()
    experiment.link()
    assert experiment.take()[1] == HELLO
    assert experiment.has_received() == []


def test_a_recording_of_a_worker_is_worth_nothing_whole_or_cut_anywhere(experiment, work):
    proxy = Proxy(experiment.listener.port)
    experiment.closing.callback(proxy.close)
    proxy.recording = True
    recorded = experiment.link(port=proxy.port)
    peer, _ = experiment.take()
    for step in range(20):
        recorded.send(points(step))
        assert experiment.take() == (peer, points(step))
    (recording,) = proxy.recorded
    assert len(recording) > 1000
    lengths = [*range(0, len(recording), 97), len(recording), len(recording)]
    replays = []
    for length in lengths:
        replay = experiment.stranger()
        with contextlib.suppress(ConnectionError):
            replay.sendall(recording[:length])
        replays.append(replay)
    for replay in replays:
        replay.shutdown(socket.SHUT_WR)
        wait_until_hung_up(replay)
    work.goes_on()
    recorded.send(points(99))
    assert experiment.take() == (peer, points(99))


def test_silent_connections_in_thousands_keep_nobody_out_and_take_few_descriptors(experiment, work):
    def sockets() -> int:
        return sum(1 for name in Path("/proc/self/fd").iterdir() if name.exists() or name.is_symlink())

    before = sockets()
    crowd = []
    for _ in range(SILENT):
        crowd.append(experiment.stranger())
        if len(crowd) % 500 == 0:
            work.goes_on()
    experiment.link(Ready())
    assert experiment.take()[1] == Ready()
    for connection in crowd[: SILENT - LIMIT]:  # the oldest are shut, though nobody has waited for a time-out
        wait_until_hung_up(connection)
    assert sockets() - before < SILENT + LIMIT + 20
    work.goes_on()


def test_silent_connections_are_shut_while_the_driver_thinks(experiment):
    crowd = [experiment.stranger() for _ in range(3 * LIMIT)]
    for connection in crowd[: 2 * LIMIT]:
        wait_until_hung_up(connection)  # nobody has called `receive`
    experiment.link()
    assert experiment.take()[1] == HELLO


def test_a_crowd_that_keeps_coming_keeps_nobody_out(experiment, work):
    enough = threading.Event()

    def come() -> None:
        while not enough.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", experiment.listener.port)):
                pass

    crowd = [threading.Thread(target=come) for _ in range(2)]
    for thread in crowd:
        thread.start()
    try:
        for _ in range(5):
            work.goes_on()
            experiment.link(Ready())
            assert experiment.take()[1] == Ready()
    finally:
        enough.set()
        for thread in crowd:
            thread.join()


# --- with a key


RUBBISH = [
    pytest.param([b""], id="nothing"),
    pytest.param([b"\xc1rubbish"], id="less than a prefix"),
    pytest.param([b"\xc1" * 100], id="rubbish"),
    pytest.param([encode(Ready())], id="a message without a prefix"),
    pytest.param([numbered(7, Ready())], id="a number that is not the next"),
    pytest.param([numbered(2**64 - 1, Ready(), heard=2**64 - 1)], id="a number beyond all"),
    pytest.param([numbered(0, Ready())], id="what has to have a number"),
    pytest.param([numbered(0, None)[:-1]], id="half a prefix"),
    pytest.param([numbered(0, None) + b"\x91\xa1\x80"], id="text that is not UTF-8"),
    pytest.param([opening(name=b"short")], id="an opening with half a name"),
    pytest.param([opening(), opening()], id="two frames"),
    pytest.param([b"", opening()], id="an envelope"),
]


@pytest.mark.parametrize("frames", RUBBISH)
def test_rubbish_from_a_key_holder_is_passed_over_and_what_follows_is_heard(experiment, work, frames):
    dealer = experiment.dealer()
    dealer.send_multipart(frames)  # before it has said who it is
    dealer.send(opening())
    dealer.send(numbered(1, HELLO))
    dealer.send_multipart(frames)
    dealer.send(numbered(2, Ready()))
    assert experiment.take() == (NAME, HELLO)
    assert experiment.take() == (NAME, Ready())
    work.goes_on()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xc1rubbish", id="rubbish"),
        pytest.param(b"\x95\xa8Finished\x00\x00\xcb" + bytes(8) + b"\x81\xa1a" + b"\x91" * 5000, id="too deep"),
        pytest.param(encode(Enlisted(1.0)), id="what only the driver says"),
        pytest.param(b"\x91\xdb\xff\xff\xff\xff", id="text of 4 GiB, it says"),
    ],
)
def test_a_counted_frame_that_is_no_message_counts_and_is_passed_over(experiment, work, body):
    dealer = experiment.session()
    dealer.send(numbered(1, None) + body)
    dealer.send(numbered(2, Ready()))
    assert experiment.take() == (NAME, Ready())
    work.goes_on()


def test_what_is_said_twice_is_heard_once(experiment):
    dealer = experiment.session()
    for number in (1, 2, 1, 2, 3, 3):
        dealer.send(numbered(number, points(number)))
    assert [experiment.take()[1] for _ in range(3)] == [points(1), points(2), points(3)]
    assert experiment.has_received() == []


def test_whoever_sends_too_much_is_cut_off_and_nobody_else(experiment, work):
    dealer = experiment.session()
    dealer.send(numbered(1, HELLO))
    assert experiment.take() == (NAME, HELLO)
    dealer.send(numbered(2, Log(0, 0, ["x" * (2 * MAX_MESSAGE_BYTES)])))
    assert experiment.take() == (NAME, Sign.GONE)
    dealer = experiment.dealer()
    dealer.send(opening(resumes=True))
    assert experiment.take() == (NAME, Sign.BACK)
    dealer.send(numbered(2, Ready()))
    assert experiment.take() == (NAME, Ready())
    work.goes_on()


def test_the_largest_message_that_is_allowed_arrives(experiment):
    link = experiment.link()
    experiment.take()
    room = MAX_MESSAGE_BYTES - len(encode(Log(0, 0, ["x" * 70_000]))) + 70_000
    message = Log(0, 0, ["x" * room])
    assert len(encode(message)) == MAX_MESSAGE_BYTES
    link.send(message)
    assert experiment.take()[1] == message
    with pytest.raises(ValueError, match="a Log of 1048577 bytes: the driver takes 1048576 at most"):
        link.send(Log(0, 0, ["x" * (room + 1)]))


def test_a_peer_that_never_acknowledges_is_cut_off_and_never_holds_up_the_driver(experiment, work):
    experiment.session().send(numbered(1, HELLO))
    assert experiment.take() == (NAME, HELLO)
    for _ in range(PEER_BYTES // MAX_MESSAGE_BYTES + 1):
        experiment.listener.send(NAME, Welcome(bytes(MAX_MESSAGE_BYTES)))
    assert experiment.take() == (NAME, Sign.GONE)
    experiment.listener.send(NAME, Enlisted(1.0))  # to nobody: no error
    work.goes_on()


def test_more_sessions_than_there_may_be_are_refused_and_those_that_are_away_make_room(experiment):
    first, *others = [experiment.session(NAME[:-2] + b"%02d" % number) for number in range(LIMIT)]
    late = experiment.dealer()
    late.send(opening(name=b"one too many ...."[:16]))
    assert experiment.answer(late) == (0, 0, Refused("the driver does not know this worker any more"))
    first.send(numbered(1, HELLO))
    assert experiment.take() == (NAME[:-2] + b"00", HELLO)
    first.close()
    assert experiment.take() == (NAME[:-2] + b"00", Sign.GONE)
    late.send(opening(name=b"one too many ...."[:16]))
    assert experiment.answer(late) == (0, 0, Opened())
    assert len(others) == LIMIT - 1


# --- versions


def test_a_worker_of_another_version_is_refused_and_both_sides_can_name_the_two(experiment, work):
    dealer = experiment.dealer()
    dealer.send(opening(protocol=PROTOCOL + 1))
    assert experiment.answer(dealer) == (0, 0, Refused(two_versions(PROTOCOL + 1)))
    assert experiment.take() == (NAME, WrongVersion(theirs=PROTOCOL + 1, ours=PROTOCOL))
    work.goes_on()


def test_a_link_that_is_refused_for_its_version_lets_its_owner_leave(experiment, monkeypatch):
    monkeypatch.setattr("maggy.wire.link.PROTOCOL", 1)
    told: SimpleQueue = SimpleQueue()
    link = experiment.link(on_message=told.put)
    assert experiment.take()[1] == WrongVersion(theirs=1, ours=PROTOCOL)
    assert told.get(timeout=PATIENCE_S) == Release(grace_s=0.0)
    assert link.error == (
        f"this worker speaks version 1 of Maggy's protocol and the driver version {PROTOCOL}: "
        "install the same version of Maggy where the workers run"
    )


# --- a driver that is gone


def test_a_link_that_reaches_nobody_for_too_long_lets_its_owner_leave(experiment, monkeypatch):
    monkeypatch.setattr("maggy.wire.link.UNREACHABLE_S", 0.3)
    told: SimpleQueue = SimpleQueue()
    link = experiment.link(on_message=told.put)
    assert experiment.take()[1] == HELLO
    began = monotonic()
    experiment.listener.close()
    assert told.get(timeout=PATIENCE_S) == Release(grace_s=0.0)
    assert monotonic() - began >= 0.3
    assert link.error == "the driver could not be reached for 0.3 s"
    link.send(Heartbeat())
    link.send(Metrics(0, 0, [1], [0.5]))


_CLOSES_UNCOUNTED = """
import contextlib, socket
from maggy.wire.keys import KeyPair
from maggy.wire.listener import SocketListener

listener = SocketListener("127.0.0.1", KeyPair.fresh().public, KeyPair.fresh(), 64)
gate = listener._gate
gate._closing = True  # nobody counts connections any more, as in the last moment of a listener
gate._waker.wake()
gate.join()
with contextlib.suppress(OSError):
    for _ in range(4000):
        socket.create_connection(("127.0.0.1", listener.port), timeout=1).close()
listener.close()
print("closed")
"""


def test_a_listener_closes_however_many_connections_nobody_has_counted():
    # In a process of its own: where it hangs, it holds the interpreter.
    done = subprocess.run(
        [sys.executable, "-c", _CLOSES_UNCOUNTED], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.stdout == "closed\n", done.stderr
