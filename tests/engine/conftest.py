from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from maggy.ticket import Ticket

PATIENCE_S = 60
SET_FOR_THE_SHARED_SPARK = {"SPARK_HOME", "SPARK_LOCAL_IP", "PYSPARK_PYTHON"}


@dataclass(kw_only=True)
class Guest:
    """A worker that came to the desk: what it said, and the line to it."""

    seat: int
    experiment: str
    secret_key: str
    pid: int
    executor: int
    attempt: int
    together: bool
    environment: dict[str, str]
    properties: dict[str, str]
    connection: socket.socket = field(repr=False)

    def dismiss(self) -> None:
        self.connection.sendall(b"go\n")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def is_connected(self) -> bool:
        """Whether the process behind this guest still holds the line, right now."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return not readable

    def has_died(self) -> bool:
        """Whether the process is gone, at the latest after a while: its parent may need a moment to notice."""
        try:
            process = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([process], [], [], PATIENCE_S)[0])
        finally:
            os.close(process)


class Desk:
    """Where the workers of a test report. It stands in for the driver."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE_S)
        self._guests: list[Guest] = []
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

    def tickets(self, number: int, entry: str = "report", experiment: str = "exp") -> list[Ticket]:
        return [
            Ticket(
                address=self.address,
                experiment=experiment,
                seat=seat,
                entry=f"spark_entries:{entry}",
                secret_key="s3cret",
            )
            for seat in range(number)
        ]

    def next_guest(self) -> Guest:
        """The next worker to come in. Over Spark Connect its task looks first whether the desk is there."""
        line = ""
        while not line:
            connection, _ = self._server.accept()
            line = connection.makefile().readline()
        said: dict[str, Any] = json.loads(line)
        guest = Guest(**said, connection=connection)
        self._guests.append(guest)
        return guest

    def guests(self, number: int) -> list[Guest]:
        """The next workers to come in, by seat. None is dismissed in between, so they are here at the same time."""
        return sorted((self.next_guest() for _ in range(number)), key=lambda guest: guest.seat)

    def close(self) -> None:
        for guest in self._guests:
            guest.connection.close()
        self._server.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


class Program:
    """Another Python process, which has no Spark yet; it and the tasks of its Spark can import the entries."""

    def __init__(self, source: str, *arguments: str, **environment: str) -> None:
        ours = {name: value for name, value in os.environ.items() if name not in SET_FOR_THE_SHARED_SPARK}
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ours | {"PYTHONPATH": path} | environment,
        )

    def next_line(self) -> str:
        """Wait for the next line that the program prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def printed(self) -> list[str]:
        """Wait for the end of the program, which has nothing more to read; what else it said, by line."""
        out, err = self._process.communicate(timeout=2 * PATIENCE_S)
        assert self._process.returncode == 0, err
        return out.splitlines()

    def close(self) -> None:
        with self._process:
            self._process.kill()


@pytest.fixture
def fresh_python() -> Iterator[Callable[..., Program]]:
    """Starts a `Program`."""
    with ExitStack() as stack:
        yield lambda *arguments, **environment: stack.enter_context(closing(Program(*arguments, **environment)))


@pytest.fixture(scope="session")
def entries() -> Path:
    """The file that executors import for the tickets of a `Desk`."""
    return Path(__file__).with_name("spark_entries.py")
