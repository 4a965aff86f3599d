"""Streams in both directions over a network that is slow, silent, and cut in the middle."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

import pytest
import zmq
from wire.helpers import NAME, Experiment, numbered, opening
from wire.proxy import Proxy

from maggy.testing.channels import HELLO, PATIENCE_S, points
from maggy.wire.channel import Sign
from maggy.wire.messages import Metrics, Ready, RunTrial

MESSAGES = 5_000
"""In each direction."""

CUTS = 40


@pytest.fixture
def experiment() -> Iterator[Experiment]:
    experiment = Experiment()
    yield experiment
    experiment.closing.close()


@pytest.fixture
def proxy(experiment) -> Proxy:
    proxy = Proxy(experiment.listener.port)
    experiment.closing.callback(proxy.close)
    return proxy


class Traffic:
    """One link through a relay; points go one way and orders the other."""

    def __init__(self, experiment: Experiment, proxy: Proxy) -> None:
        self._experiment = experiment
        self.orders: SimpleQueue[RunTrial] = SimpleQueue()
        self.points: list[Metrics] = []
        self.gone = 0
        self.link = experiment.link(port=proxy.port, on_message=self.orders.put)
        self.peer, hello = experiment.take()
        assert hello == HELLO

    def send(self, numbers: range) -> None:
        for number in numbers:
            self.link.send(points(number))
            self._experiment.listener.send(self.peer, RunTrial(number, 0, {"lr": 0.1}))

    def arrives(self, count: int) -> None:
        """All of it, once and in order, and nothing else."""
        while len(self.points) < count:
            peer, item = self._experiment.take()
            assert peer == self.peer
            if isinstance(item, Sign):
                self.gone += item is Sign.GONE
            else:
                self.points.append(item)
        assert self.points == [points(number) for number in range(count)]
        self._experiment.serve_until(lambda: self.orders.qsize() >= count)
        told = [self.orders.get() for _ in range(count)]
        assert told == [RunTrial(number, 0, {"lr": 0.1}) for number in range(count)]
        assert self.orders.empty()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_stream_that_is_cut_at_any_byte_arrives_once_and_in_order(experiment, proxy, seed):
    chance = random.Random(seed)
    # Some end within the handshake, which takes some 1,200 bytes, most in the middle of a message.
    proxy.fuses = [int(chance.expovariate(1 / 20_000)) + 1 for _ in range(CUTS)]
    traffic = Traffic(experiment, proxy)
    for start in range(0, MESSAGES, 100):
        traffic.send(range(start, start + 100))
        experiment.serve()
    traffic.arrives(MESSAGES)
    assert proxy.cuts > CUTS // 4
    assert traffic.gone > 0


def test_what_a_network_has_swallowed_is_said_again(experiment, proxy):
    traffic = Traffic(experiment, proxy)
    traffic.send(range(100))
    proxy.stalled = True
    traffic.send(range(100, 600))
    for _ in range(10):
        experiment.serve()
    proxy.cut()
    proxy.stalled = False
    proxy.mend()
    traffic.arrives(600)


def test_a_break_is_told_though_the_peer_is_back_before_the_driver_has_noticed_it(experiment):
    before = experiment.session()
    before.send(numbered(1, HELLO))
    assert experiment.take() == (NAME, HELLO)
    now = experiment.dealer()  # the other one has not ended, as far as the driver knows
    now.send(opening(resumes=True))
    now.send(numbered(2, Ready()))
    assert [experiment.take() for _ in range(3)] == [(NAME, Sign.GONE), (NAME, Sign.BACK), (NAME, Ready())]


def test_what_a_connection_said_that_is_gone_is_not_taken_for_the_next_on_the_same_descriptor(experiment):
    strangers = experiment.listener._gate._strangers
    before, now, after = (experiment.dealer(connect=False) for _ in range(3))

    def wait(done: Callable[[], bool]) -> None:
        until = monotonic() + PATIENCE_S
        while not done():
            assert monotonic() < until

    def says_and_goes(dealer: zmq.Socket[bytes], *bodies: bytes) -> int:
        """To the end of it; the descriptor that it had."""
        there = len(strangers)
        experiment.connect(dealer)
        wait(lambda: len(strangers) > there)
        descriptor = [*strangers][-1]
        dealer.linger = -1
        for body in bodies:
            dealer.send(body)
        dealer.close()
        dealer.context.term()
        wait(lambda: len(strangers) == there and not Path(f"/proc/self/fd/{descriptor}").is_symlink())
        return descriptor

    gone = says_and_goes(before, b"something else first", opening())
    below = [os.dup(0)]
    while below[-1] < gone:
        below.append(os.dup(0))
    for descriptor in below[-2:]:  # one for its own end, and the next for the listener's
        os.close(descriptor)
    experiment.connect(now)
    now.send(opening())
    now.send(numbered(1, HELLO))
    wait(lambda: bool(strangers))
    for descriptor in below[:-2]:
        os.close(descriptor)
    says_and_goes(after, b"later than all of that")
    assert experiment.take() == (NAME, HELLO)
    now.send(numbered(2, Ready()))
    assert experiment.take() == (NAME, Ready())


def test_a_slow_network_keeps_the_order(experiment, proxy):
    traffic = Traffic(experiment, proxy)
    proxy.delay_s, proxy.rate = 0.01, 200_000.0
    traffic.send(range(1000))
    traffic.arrives(1000)
    assert traffic.gone == 0
