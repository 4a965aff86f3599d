"""Strangers at the driver's door, while an experiment runs: it finishes with the same result."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading

import pytest
import zmq

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.engine.local import LocalEngine

SEED = 3
GREETING = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00CURVE" + b"\x00" * 47
"""What every ZeroMQ peer says first (ZMTP 3.0, RFC 23)."""


def train(x, reporter):
    import time

    for step in range(10):
        reporter.broadcast(x, step)
        time.sleep(0.01)
    return x


def search(num_trials, folder):
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
    return HyperparameterOptConfig(
        num_trials, "randomsearch", space, es_policy="none", seed=SEED, num_workers=2, experiment_dir=folder
    )


class Besieged(LocalEngine):
    """The local engine, which says where the driver listens."""

    def __init__(self):
        self.address = None
        self.launched = threading.Event()

    def launch(self, tickets, resources, on_exit):
        self.address = tickets[0].address
        self.launched.set()
        return super().launch(tickets, resources, on_exit)


class Attack(threading.Thread):
    """Does one hostile thing after the other until the experiment is over; counts."""

    def __init__(self, engine, *, silent):
        super().__init__(name="attack", daemon=True)
        self._engine, self._silent = engine, silent
        self._chance = random.Random(SEED)
        self._over = threading.Event()
        self._held = []
        self.done = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()
        for connection in self._held:
            connection.close()

    def run(self):
        self._engine.launched.wait()
        host, port = re.fullmatch(r"tcp://(.*):(\d+)", self._engine.address).groups()
        self._address = host, int(port)
        ways = [self.random_bytes, self.half_a_greeting, self.greeting_then_noise, self.oversize, self.wrong_key]
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                self.stay_silent()
                way = self._chance.choice(ways)
                way()
                self.done[way.__name__] = self.done.get(way.__name__, 0) + 1

    def stay_silent(self):
        while len(self._held) < self._silent and not self._over.is_set():
            self._held.append(socket.create_connection(self._address, timeout=5))

    def speak(self, *parts):
        with socket.create_connection(self._address, timeout=0.2) as connection:
            for part in parts:
                connection.sendall(part)
            with contextlib.suppress(OSError):
                connection.recv(1)

    def random_bytes(self):
        self.speak(self._chance.randbytes(100_000))

    def half_a_greeting(self):
        self.speak(GREETING[: self._chance.randrange(len(GREETING))])

    def greeting_then_noise(self):
        self.speak(GREETING, self._chance.randbytes(10_000))

    def oversize(self):
        self.speak(GREETING, b"\x02" + (1 << 62).to_bytes(8, "big"), self._chance.randbytes(1_000_000))

    def wrong_key(self):
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
            dealer.curve_serverkey, _ = zmq.curve_keypair()
            dealer.connect(self._engine.address)
            dealer.send(b"let me in")
            assert not dealer.poll(50)


def besiege(tmp_path, *, trials, silent):
    undisturbed = lagom(train, search(trials, tmp_path / "a"), engine="inline", verbose=0)
    engine = Besieged()
    with Attack(engine, silent=silent) as attack:
        result = lagom(train, search(trials, tmp_path / "b"), engine=engine, verbose=0)
    assert {t.trial_id: t.final_metric for t in result.trials} == {
        t.trial_id: t.final_metric for t in undisturbed.trials
    }
    assert all(trial.attempt == 0 for trial in result.trials)
    return attack


def test_an_experiment_under_attack_ends_with_the_same_result(tmp_path):
    attack = besiege(tmp_path, trials=30, silent=500)
    assert sum(attack.done.values()) > 5


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_ten_thousand_silent_connections_and_every_other_attack(tmp_path, capsys):
    attack = besiege(tmp_path, trials=400, silent=10_000)
    assert len(attack._held) >= 10_000
    with capsys.disabled():
        attacks = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(attack.done.items()))
        print(f"\n{len(attack._held)} silent connections; {attacks} (seed {SEED}): 400 trials as undisturbed")
