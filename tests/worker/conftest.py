"""A seat, and a supervisor on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from worker.helpers import PATIENCE_S, Boss

from maggy.ticket import Ticket
from maggy.wire.keys import KeyPair
from maggy.wire.listener import SocketListener
from maggy.wire.messages import SupervisorHello


@pytest.fixture
def seat() -> Iterator[tuple[Boss, Ticket]]:
    """The driver's side, and a ticket for one seat."""
    driver, workers = KeyPair.fresh(), KeyPair.fresh()
    listener = SocketListener("127.0.0.1", workers.public, driver)
    ticket = Ticket(
        address=f"tcp://127.0.0.1:{listener.port}",
        experiment="e",
        seat=3,
        server_key=driver.public,
        public_key=workers.public,
        secret_key=workers.secret,
    )
    yield Boss(listener), ticket
    listener.close()


@pytest.fixture
def boss(seat) -> Iterator[Boss]:
    """The driver's side of a supervisor in a thread, which is released after the test."""
    boss, ticket = seat
    threads = set(threading.enumerate())
    supervisor = threading.Thread(target=ticket.enter, args=({"SHARE": "a third"},), daemon=True)
    supervisor.start()
    boss.supervisor, hello = boss.take(SupervisorHello)
    assert hello.seat == 3
    yield boss
    boss.release(boss.supervisor, grace_s=0.0)
    supervisor.join(PATIENCE_S)
    assert not supervisor.is_alive()
    assert set(threading.enumerate()) == threads
