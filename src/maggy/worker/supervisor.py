"""The supervisor: fills a seat with a worker process, and with the next one when that dies.

It runs apart from the training function, so native code that holds the interpreter lock for minutes is never taken for
a dead worker, and a process that was killed is reported with its signal at once.

Where it runs in a main thread, a signal that asks it to leave is passed on: the worker process returns its trial, and
then the signal has its usual effect.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from time import monotonic
from types import FrameType
from typing import IO

from maggy.errors import EngineError
from maggy.ticket import GUEST_SEATS, Ticket
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

LEAVE_S = 30.0
"""Time that a worker process has to return its trial once its supervisor is told to leave."""

_TAIL_LINES = 30  # of this many lines of this size, with every byte replaced, a message can still be made
_LINE_BYTES = 10_000
_OUTPUT_BYTES = 16 << 20  # of what one process writes past `print`
_LEAST_LINE_BYTES = 100  # a line counts for at least that: it costs as much
_CHUNK_BYTES = 1 << 16
_KILL_S = 3.0  # within this the guard of a process has ended it and all that it has started
_ENLIST_S = 10.0
_ASKED_TO_LEAVE = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)  # SIGHUP is what Spark sends to its Python processes
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # between processes that die before they are ready


class _Process:
    """One worker process, with a thread that reads what it writes and one that waits for its end."""

    def __init__(
        self, ticket: Ticket, holder: str, number: int, environment: Mapping[str, str], folder: str | None, desk: Desk
    ) -> None:
        self.number = number
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._ready, ready = os.pipe()
        path = os.pathsep.join(map(os.path.abspath, sys.path))
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "maggy.worker.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, **environment},
            cwd=folder,
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
        self._popen.send_signal(signal.SIGHUP)  # its guard knows what that is
        self._waiter.join(_KILL_S)
        self._kill_group()
        self._waiter.join()

    @property
    def tail(self) -> str:
        """The last lines that it has written."""
        return "\n".join(self._tail)

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
            while size <= _OUTPUT_BYTES and (line := stream.readline(_LINE_BYTES)):
                text = line.decode(errors="replace").rstrip("\n")
                self._tail.append(text)
                self._desk.post(text)
                size += max(len(line), _LEAST_LINE_BYTES)
            if size <= _OUTPUT_BYTES:
                return
            self._desk.post(f"[maggy: this log is full at {_OUTPUT_BYTES >> 20} MiB; the rest is dropped]")
            last = b""
            while chunk := stream.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]  # Popen's pipes are buffered
                last = (last + chunk)[-_CHUNK_BYTES:]
            self._tail.extend(last.decode(errors="replace").splitlines())

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


@dataclass(frozen=True)
class Leave:
    """The supervisor is to leave before the driver says so.

    reason  why, for people
    """

    reason: str


_Item = FromDriver | str | _Process | Leave


class Desk:
    """Where everything that concerns a supervisor arrives: messages, lines of output, the end of a process."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()

    def post(self, item: _Item) -> None:
        """From any thread, and from a signal handler."""
        self._queue.put(item)

    def take(self, timeout_s: float | None) -> _Item | None:
        """The next item; None after `timeout_s`."""
        try:
            return self._queue.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            return None

    def take_lines(
        self, first: str, limit: int = _TAIL_LINES
    ) -> tuple[list[str], FromDriver | _Process | Leave | None]:
        """A line and those that follow at once, and the first item that is no line."""
        lines = [first]
        while len(lines) < limit and (item := self.take(0)) is not None:
            if not isinstance(item, str):
                return lines, item
            lines.append(item)
        return lines, None


def supervise(ticket: Ticket, environment: Mapping[str, str]) -> None:
    """Keep a seat filled until the driver releases it. The entry point of every engine with processes of its own."""
    supervisor = Supervisor(ticket, environment)
    with supervisor.heeding_signals():
        supervisor.run()


class Supervisor:
    """See the module.

    folder  working directory of the worker processes; None: this process's own

    A guest, see `GUEST_SEATS`, tells its own people what is wrong in place of the driver's.
    """

    def __init__(self, ticket: Ticket, environment: Mapping[str, str], folder: str | None = None) -> None:
        self._ticket, self._environment, self._folder = ticket, environment, folder
        self._is_guest = ticket.seat >= GUEST_SEATS
        self._holder = uuid.uuid4().hex
        self._desk = Desk()
        self._started = 0
        self._unready_deaths = 0
        self._heartbeat_s: float | None = None
        self._unsaid = 0  # lines that were dropped because the driver did not take them
        self._link = connect(ticket, self._desk.post)
        self._link.send(SupervisorHello(self._holder, ticket.seat, socket.gethostname()))

    def leave(self, reason: str) -> None:
        """Return the trial and leave, within `LEAVE_S`. From any thread, and from a signal handler."""
        self._desk.post(Leave(reason))

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Leave at SIGTERM, SIGHUP and Ctrl-C, and then let the signal have its effect; in a main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        came: list[int] = []

        def handle(signum: int, frame: FrameType | None) -> None:
            came.append(signum)
            self.leave(f"its supervisor got {signal.Signals(signum).name}")

        before = {signum: signal.signal(signum, handle) for signum in _ASKED_TO_LEAVE}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)
        if came:
            signal.raise_signal(came[0])

    def run(self) -> None:
        """Keep the seat filled until released or told to leave.

        Raises EngineError for a guest that no driver answers, or whose worker process cannot work.
        """
        process: _Process | None = None
        restart_at: float | None = None if self._is_guest else monotonic()  # a guest waits for its admission
        enlist_by = monotonic() + _ENLIST_S if self._is_guest else inf
        beat_at: float | None = None
        try:
            while True:
                now = monotonic()
                if restart_at is not None and now >= restart_at:
                    self._started += 1
                    process = self._start_process()
                    restart_at = None
                if beat_at is not None and now >= beat_at:
                    self._link.send(Heartbeat())
                    beat_at = now + (self._heartbeat_s or 1.0)
                if now >= enlist_by:
                    raise EngineError(f"no driver answers at {self._ticket.address}")
                alarms = [at for at in (restart_at, beat_at, enlist_by) if at is not None and at < inf]
                item = self._desk.take(min(alarms) - monotonic() if alarms else None)
                if isinstance(item, str):
                    item = self._forward(item)
                if isinstance(item, Enlisted):
                    if self._heartbeat_s is None and self._is_guest:
                        restart_at, enlist_by = monotonic(), inf
                    self._heartbeat_s = item.heartbeat_s
                    beat_at = monotonic()
                elif isinstance(item, Release):
                    if process is not None:
                        self._dismiss(process, item.grace_s)
                        process = None
                    return
                elif isinstance(item, Leave):
                    if process is not None:
                        self._leave(process, item)
                        process = None
                    return
                elif isinstance(item, _Process):
                    self._link.send(ProcessEnded(item.number, item.cause(), item.tail))
                    process = None
                    if self._is_guest and not item.was_ready:
                        raise EngineError(f"the worker cannot work here: {item.cause()}\n{item.tail}".rstrip())
                    restart_at = monotonic() + self._pause_after(item)
        finally:
            if process is not None:
                process.kill()
            self._link.close()
            if self._link.error is not None:
                print(f"maggy: {self._link.error}", file=sys.stderr)

    def _start_process(self) -> _Process:
        return _Process(self._ticket, self._holder, self._started, self._environment, self._folder, self._desk)

    def _forward(self, line: str) -> FromDriver | _Process | Leave | None:
        """Send a line of output and those that follow at once, or drop them while the driver takes nothing.

        Returns the item after them.
        """
        lines, item = self._desk.take_lines(line)
        if self._link.full:
            self._unsaid += len(lines)
            return item
        if self._unsaid:
            lines = [f"[maggy: {self._unsaid} lines were dropped, as the driver did not take them]", *lines]
            self._unsaid = 0
        self._link.send(Output(lines))
        return item

    def _dismiss(self, process: _Process, grace_s: float) -> None:
        """Let the process leave, then ask it to, then make it; forward what it still has to say."""
        for patience_s, then in ((grace_s / 2, process.terminate), (grace_s / 2, process.kill), (grace_s, None)):
            if self._await_end(process, patience_s):
                return
            if then is not None:
                then()

    def _leave(self, process: _Process, leave: Leave) -> None:
        """Ask the process to return its trial and to leave, then make it."""
        process.terminate()
        if not self._await_end(process, LEAVE_S):
            process.kill()
            self._await_end(process, _KILL_S)
        self._link.send(ProcessEnded(process.number, leave.reason, process.tail, preempted=True))

    def _await_end(self, process: _Process, patience_s: float) -> bool:
        """Forward what a leaving process has to say; whether it ended in time."""
        until = monotonic() + patience_s
        while (item := self._desk.take(until - monotonic())) is not None:
            if isinstance(item, str):
                item = self._forward(item)
            if isinstance(item, Release):
                process.kill()  # told twice: at once
            if isinstance(item, _Process):
                return True
        return False

    def _pause_after(self, process: _Process) -> float:
        """Seconds until the next process: none after one that has worked, ever more after those that never could."""
        if process.was_ready:
            self._unready_deaths = 0
            return 0.0
        self._unready_deaths += 1
        return min(_FIRST_PAUSE_S * 2.0 ** (self._unready_deaths - 1), _LONGEST_PAUSE_S)
