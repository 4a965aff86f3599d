"""The supervisor: fills a seat with a worker process, and with the next one when that dies.

It runs apart from the training function, so native code that holds the interpreter lock for minutes is never taken for
a dead worker, and a process that was killed is reported with its signal at once.

Where it runs in a main thread, a signal that asks it to leave is passed on: the worker process returns its trial, and
then the signal has its usual effect.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf
from time import monotonic
from types import FrameType

from maggy.errors import EngineError
from maggy.ticket import GUEST_SEATS, Ticket
from maggy.wire import connect
from maggy.wire.messages import (
    EndProcess,
    Enlisted,
    FromDriver,
    Heartbeat,
    Output,
    ProcessEnded,
    Release,
    SupervisorHello,
)
from maggy.worker.child import KILL_S, Desk, Leave, WorkerProcess

LEAVE_S = 30.0
"""Time that a worker process has to return its trial once its supervisor is told to leave."""

_ENLIST_S = 10.0  # a driver that lives answers at once
_ASKED_TO_LEAVE = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)  # SIGHUP is what Spark sends to its Python processes
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # between processes that die before they are ready


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
        process: WorkerProcess | None = None
        restart_at: float | None = None if self._is_guest else monotonic()  # a guest waits for its admission
        enlist_by = monotonic() + _ENLIST_S if self._is_guest else inf
        beat_at: float | None = None
        kill_at: float | None = None
        try:
            while True:
                now = monotonic()
                if kill_at is not None and now >= kill_at:
                    kill_at = None
                    if process is not None:
                        process.kill()
                if restart_at is not None and now >= restart_at:
                    self._started += 1
                    process = self._start_process()
                    restart_at = None
                if beat_at is not None and now >= beat_at:
                    self._link.send(Heartbeat())
                    beat_at = now + (self._heartbeat_s or 1.0)
                if now >= enlist_by:
                    raise EngineError(f"no driver answers at {self._ticket.address}")
                alarms = [at for at in (restart_at, beat_at, enlist_by, kill_at) if at is not None and at < inf]
                item = self._desk.take(min(alarms) - monotonic() if alarms else None)
                if isinstance(item, str):
                    item = self._forward(item)
                if isinstance(item, Enlisted):
                    if self._heartbeat_s is None and self._is_guest:
                        restart_at, enlist_by = monotonic(), inf
                    self._heartbeat_s = item.heartbeat_s
                    beat_at = monotonic()
                elif isinstance(item, EndProcess):
                    if process is not None and process.number == item.process:
                        kill_at = monotonic() + item.grace_s
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
                elif isinstance(item, WorkerProcess):
                    told = item.was_told_to_leave
                    self._link.send(ProcessEnded(item.number, item.cause(), item.tail, preempted=told))
                    process = kill_at = None
                    if self._is_guest and not item.was_ready:
                        raise EngineError(f"the worker cannot work here: {item.cause()}\n{item.tail}".rstrip())
                    restart_at = monotonic() + self._pause_after(item)
        finally:
            if process is not None:
                process.kill()
            self._link.close()
            if self._link.error is not None:
                print(f"maggy: {self._link.error}", file=sys.stderr)

    def _start_process(self) -> WorkerProcess:
        return WorkerProcess(self._ticket, self._holder, self._started, self._environment, self._folder, self._desk)

    def _forward(self, line: str) -> FromDriver | WorkerProcess | Leave | None:
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

    def _dismiss(self, process: WorkerProcess, grace_s: float) -> None:
        """Let the process leave, then ask it to, then make it; forward what it still has to say."""
        for patience_s, then in ((grace_s / 2, process.terminate), (grace_s / 2, process.kill), (grace_s, None)):
            if self._await_end(process, patience_s):
                return
            if then is not None:
                then()

    def _leave(self, process: WorkerProcess, leave: Leave) -> None:
        """Ask the process to return its trial and to leave, then make it."""
        process.terminate()
        if not self._await_end(process, LEAVE_S):
            process.kill()
            self._await_end(process, KILL_S)
        self._link.send(ProcessEnded(process.number, leave.reason, process.tail, preempted=True))

    def _await_end(self, process: WorkerProcess, patience_s: float) -> bool:
        """Forward what a leaving process has to say; whether it ended in time."""
        until = monotonic() + patience_s
        while (item := self._desk.take(until - monotonic())) is not None:
            if isinstance(item, str):
                item = self._forward(item)
            if isinstance(item, Release):
                process.kill()  # told twice: at once
            if isinstance(item, WorkerProcess):
                return True
        return False

    def _pause_after(self, process: WorkerProcess) -> float:
        """Seconds until the next process: none after one that has worked, ever more after those that never could."""
        if process.was_ready:
            self._unready_deaths = 0
            return 0.0
        self._unready_deaths += 1
        return min(_FIRST_PAUSE_S * 2.0 ** (self._unready_deaths - 1), _LONGEST_PAUSE_S)
