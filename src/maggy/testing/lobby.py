"""Where the trials of a test come by, on whatever machine they run, and are told what to do."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from maggy.worker.reporter import Reporter

PATIENCE_S = 60.0
"""How long a test waits for what must come; only an engine that fails is waited for that long."""

ERROR = "no luck with this one: ½"

_T = TypeVar("_T")
_held: list[socket.socket] = []  # in a worker process: the connections last as long as that


@dataclass(kw_only=True)
class Visitor:
    """A trial that has come by and waits to be told what to do.

    x            its hyperparameter
    rank         of its worker, where several run it
    pid          of its process
    holder       of the process in which its supervisor runs; 0 where that cannot be told
    environment  the variables of its process
    """

    x: float
    rank: int
    pid: int
    holder: int
    environment: dict[str, str] = field(repr=False)
    connection: socket.socket = field(repr=False)

    def tell(self, order: str) -> None:
        """Let it go on: "return", "raise", "die", "report" for ever, or "spawn", which is to start a process that stays
        behind, and to return.
        """
        try:
            self.connection.sendall(order.encode() + b"\n")
        except OSError:  # it died meanwhile
            pass

    def has_gone(self) -> bool:
        """Whether its process, and what that has started, have ended, at the latest after a while."""
        readable, _, _ = select.select([self.connection], [], [], PATIENCE_S)
        try:
            return bool(readable) and self.connection.recv(1) == b""
        except ConnectionResetError:
            return True


class Lobby:
    """The test's end.

    host  address to listen on
    """

    def __init__(self, host: str) -> None:
        self._server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._visitors: list[Visitor] = []
        self.address: tuple[str, int] = self._server.getsockname()[:2]

    def next(self) -> Visitor:
        """The next trial that comes by."""
        return self._expect(self._accept(PATIENCE_S))

    def until(self, over: Callable[[], bool]) -> Iterator[Visitor]:
        """Those that come by until something is over."""
        while not over():
            visitor = self._accept(0.05)
            if visitor is not None:
                yield visitor

    def close(self) -> None:
        """Send everybody away; a trial that still waits fails."""
        for visitor in self._visitors:
            visitor.connection.close()
        self._server.close()

    def _expect(self, visitor: Visitor | None) -> Visitor:
        assert visitor is not None, f"no trial came by within {PATIENCE_S:g} s"
        return visitor

    def _accept(self, patience_s: float) -> Visitor | None:
        self._server.settimeout(patience_s)
        try:
            connection, _ = self._server.accept()
        except TimeoutError:
            return None
        connection.settimeout(PATIENCE_S)
        said: dict[str, Any] = json.loads(connection.makefile().readline())
        self._visitors.append(Visitor(**said, connection=connection))
        return self._visitors[-1]


def visit(address: tuple[str, int], x: float, reporter: Reporter, rank: int = 0) -> float:
    """What a trial does: come by, wait, do as it is told."""
    connection = socket.create_connection(address)
    _held.append(connection)
    said = {"x": x, "rank": rank, "pid": os.getpid(), "holder": _holder(), "environment": dict(os.environ)}
    connection.sendall(json.dumps(said).encode() + b"\n")
    order = connection.makefile().readline().strip()
    if order == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "raise":
        raise ValueError(ERROR)
    elif order == "report":
        for step in count():
            reporter.broadcast(x, step=step)
    elif order == "spawn":
        subprocess.Popen(["sleep", "1000"], pass_fds=[connection.fileno()])
    elif order != "return":
        raise ConnectionError("the test is over")
    return x


def _holder() -> int:
    """The process that has started the guard of this worker process."""
    try:
        return int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # no Linux
        return 0
