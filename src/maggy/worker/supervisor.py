"""The supervisor: fills a seat with a worker process, and with the next one when that dies.

It runs apart from the training function, so native code that holds the interpreter lock for minutes is never taken for
a dead worker, and a process that was killed is reported with its signal at once.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import IO

from maggy.ticket import Ticket
from maggy.wire import connect
from maggy.wire.messages import (
    Enlisted,
    FromDriver,
    Heartbeat,
    Output,
    ProcessEnded,
    Release,
    SupervisorHello,
)

_TAIL_LINES = 30  # of this many lines of this size, with every byte replaced, a message can still be made
_LINE_BYTES = 10_000
_OUTPUT_BYTES = 16 << 20  # of what one process writes past `print`
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # between processes that die before they are ready


class _Process:
    """One worker process, with a thread that reads what it writes and one that waits for its end."""

    def __init__(self, ticket: Ticket, holder: str, number: int, environment: Mapping[str, str], desk: Desk) -> None:
        self.number = number
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._ready, ready = os.pipe()
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "maggy.worker.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, **environment},
            pass_fds=[ready],
            start_new_session=True,  # Ctrl-C in a terminal is the driver's business
        )
        os.close(ready)
        self._desk = desk
        assert self._popen.stdin is not None and self._popen.stdout is not None
        orders = {"ticket": ticket.to_json(), "holder": holder, "process": number, "ready": ready}
        try:
            self._popen.stdin.write(json.dumps(orders).encode() + b"\n")
            self._popen.stdin.flush()  # and stays open: its end tells the process that the supervisor is gone
        except BrokenPipeError:
            pass  # it died at once; its end is noticed below
        self._reader = threading.Thread(target=self._read, args=(self._popen.stdout,), daemon=True)
        self._reader.start()
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        self._waiter.start()

    def terminate(self) -> None:
        self._popen.terminate()

    def kill(self) -> None:
        """End the process and whatever it has started."""
        self._kill_group()
        self._waiter.join()

    def cause(self) -> str:
        """How the process ended, for people."""
        code = self._popen.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (killed, most often for memory)" if -code == signal.SIGKILL else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with exit code {code}"

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            size = 0
            while line := stream.readline(_LINE_BYTES):
                text = line.decode(errors="replace").rstrip("\n")
                self.tail.append(text)
                if size <= _OUTPUT_BYTES:
                    self._desk.post(text)
                    size += len(line)
                    if size > _OUTPUT_BYTES:
                        self._desk.post(f"[maggy: this log is full at {_OUTPUT_BYTES >> 20} MiB; the rest is dropped]")

    def _wait(self) -> None:
        self._popen.wait()
        self._kill_group()  # what the training function has started and left behind
        self._reader.join(timeout=1)
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.close()
        except BrokenPipeError:
            pass
        self.was_ready = os.read(self._ready, 1) != b""
        os.close(self._ready)
        self._desk.post(self)

    def _kill_group(self) -> None:
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


class Desk:
    """Where everything that concerns a supervisor arrives: messages, lines of output, the end of a process."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[FromDriver | str | _Process] = queue.SimpleQueue()

    def post(self, item: FromDriver | str | _Process) -> None:
        self._queue.put(item)

    def take(self, timeout_s: float | None) -> FromDriver | str | _Process | None:
        """The next item; None after `timeout_s`."""
        try:
            return self._queue.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            return None

    def take_lines(self, first: str, limit: int = _TAIL_LINES) -> tuple[list[str], FromDriver | _Process | None]:
        """A line and those that follow at once, and the first item that is no line."""
        lines = [first]
        while len(lines) < limit and (item := self.take(0)) is not None:
            if not isinstance(item, str):
                return lines, item
            lines.append(item)
        return lines, None


def supervise(ticket: Ticket, environment: Mapping[str, str]) -> None:
    """Keep a seat filled until the driver releases it. The entry point of every engine with processes of its own."""
    Supervisor(ticket, environment).run()


class Supervisor:
    """See the module."""

    def __init__(self, ticket: Ticket, environment: Mapping[str, str]) -> None:
        self._ticket, self._environment = ticket, environment
        self._holder = uuid.uuid4().hex
        self._desk = Desk()
        self._started = 0
        self._unready_deaths = 0
        self._heartbeat_s: float | None = None
        self._unsaid = 0  # lines that were dropped because the driver did not take them
        self._link = connect(ticket, self._desk.post)
        self._link.send(SupervisorHello(self._holder, ticket.seat, socket.gethostname()))

    def run(self) -> None:
        process: _Process | None = None
        restart_at: float | None = monotonic()
        beat_at: float | None = None
        try:
            while True:
                now = monotonic()
                if restart_at is not None and now >= restart_at:
                    self._started += 1
                    process = _Process(self._ticket, self._holder, self._started, self._environment, self._desk)
                    restart_at = None
                if beat_at is not None and now >= beat_at:
                    self._link.send(Heartbeat())
                    beat_at = now + (self._heartbeat_s or 1.0)
                alarms = [at for at in (restart_at, beat_at) if at is not None]
                item = self._desk.take(min(alarms) - monotonic() if alarms else None)
                if isinstance(item, str):
                    lines, item = self._desk.take_lines(item)
                    self._forward(lines)
                if isinstance(item, Enlisted):
                    self._heartbeat_s = item.heartbeat_s
                    beat_at = monotonic()
                elif isinstance(item, Release):
                    if process is not None:
                        self._dismiss(process, item.grace_s)
                        process = None
                    return
                elif isinstance(item, _Process):
                    self._link.send(ProcessEnded(item.number, item.cause(), "\n".join(item.tail)))
                    process = None
                    restart_at = monotonic() + self._pause_after(item)
        finally:
            if process is not None:
                process.kill()
            self._link.close()
            if self._link.error is not None:
                print(f"maggy: {self._link.error}", file=sys.stderr)

    def _forward(self, lines: list[str]) -> None:
        """Send what a process has written; dropped while the driver takes nothing, with a note when it does again."""
        if self._link.full:
            self._unsaid += len(lines)
            return
        if self._unsaid:
            lines = [f"[maggy: {self._unsaid} lines were dropped, as the driver did not take them]", *lines]
            self._unsaid = 0
        self._link.send(Output(lines))

    def _dismiss(self, process: _Process, grace_s: float) -> None:
        """Let the process leave, then ask it to, then make it; forward what it still has to say."""
        for patience_s, then in ((grace_s / 2, process.terminate), (grace_s / 2, process.kill), (grace_s, None)):
            until = monotonic() + patience_s
            while (item := self._desk.take(until - monotonic())) is not None:
                if isinstance(item, str):
                    lines, item = self._desk.take_lines(item)
                    self._forward(lines)
                if isinstance(item, Release):
                    process.kill()  # told twice: at once
                if isinstance(item, _Process):
                    return
            if then is not None:
                then()

    def _pause_after(self, process: _Process) -> float:
        """Seconds until the next process: none after one that has worked, ever more after those that never could."""
        if process.was_ready:
            self._unready_deaths = 0
            return 0.0
        self._unready_deaths += 1
        return min(_FIRST_PAUSE_S * 2.0 ** (self._unready_deaths - 1), _LONGEST_PAUSE_S)
