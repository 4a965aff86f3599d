"""The driver's side of a worker, played by a test."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from time import monotonic
from typing import Any

from maggy.context import Task, pack
from maggy.wire.channel import Item, Listener, Peer, Sign
from maggy.wire.messages import FromDriver, Heartbeat, Output, Ready, Release, ToDriver, Welcome, WorkerHello

PATIENCE_S = 30.0

shared: dict[str, Any] = {}
"""For a training function that runs in the test's process; it imports this, because what it closes over is copied."""


class Boss:
    """Takes what a worker or a supervisor says, and tells it what to do."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self._unread: list[tuple[Peer, Item]] = []

    def take(self, *kinds: type[ToDriver]) -> tuple[Peer, Any]:
        """The next message and who said it; signs of life and output are passed over unless asked for.

        kinds  what it has to be
        """
        until = monotonic() + PATIENCE_S
        while True:
            while not self._unread:
                assert monotonic() < until, f"no {kinds} within {PATIENCE_S:g} s"
                self._unread += self.listener.receive(until - monotonic())
            peer, message = self._unread.pop(0)
            if isinstance(message, kinds):
                return peer, message
            assert isinstance(message, Heartbeat | Output | Sign), f"{message} came before {kinds}"

    def hear(self, kind: type[ToDriver]) -> Any:
        """The next message, which has to be of this kind."""
        return self.take(kind)[1]

    def tell(self, peer: Peer, *messages: FromDriver) -> None:
        for message in messages:
            self.listener.send(peer, message)

    def welcome(
        self, function: Callable[..., Any], *, folder: str = "", experiment: str = "", **parts: Any
    ) -> tuple[Peer, WorkerHello]:
        """Give the next worker process its task; who it is."""
        peer, hello = self.take(WorkerHello)
        task = pack(Task(function=function, optimization_key="Metric", **parts))
        self.tell(peer, Welcome(task, folder, experiment))
        return peer, hello

    def release(self, *peers: Peer, grace_s: float = PATIENCE_S) -> None:
        for peer in peers:
            self.tell(peer, Release(grace_s))


def ready(boss, function):
    """The next worker process, waiting for its first trial."""
    peer, hello = boss.welcome(function)
    boss.take(Ready)
    return peer, hello


def ended(pid: int) -> bool:
    """Whether a process is gone, at the latest after a while."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE_S)[0])
    finally:
        os.close(handle)
