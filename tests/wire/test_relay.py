"""Streams in both directions over a network that is slow, silent, and cut in the middle."""

from __future__ import annotations

import random
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from wire.helpers import NAME, Experiment, numbered, opening
from wire.proxy import Proxy

from maggy.testing.channels import HELLO, points
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


def test_a_slow_network_keeps_the_order(experiment, proxy):
    traffic = Traffic(experiment, proxy)
    proxy.delay_s, proxy.rate = 0.01, 200_000.0
    traffic.send(range(1000))
    traffic.arrives(1000)
    assert traffic.gone == 0
