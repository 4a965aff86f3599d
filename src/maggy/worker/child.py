"""A worker process as its supervisor sees it, and the desk where news of it arrives."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from maggy.ticket import Ticket
from maggy.wire.messages import FromDriver

_TAIL_LINES = 30  # of this many lines of this size, with every byte replaced, a message can still be made
_LINE_BYTES = 10_000
_OUTPUT_BYTES = 16 << 20  # of what one process writes past `print`
_LEAST_LINE_BYTES = 100  # a line counts for at least that: it costs as much
_CHUNK_BYTES = 1 << 16
KILL_S = 3.0
"""Within this, the guard of a process has ended it and all that it has started."""


class WorkerProcess:
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
        self._waiter.join(KILL_S)
        self._kill_group()
        self._waiter.join()

    @property
    def tail(self) -> str:
        """The last lines that it has written."""
        return "\n".join(self._tail)

    @property
    def was_told_to_leave(self) -> bool:
        """Whether the process, which has ended, has done so because of SIGTERM."""
        return self._popen.returncode in (128 + signal.SIGTERM, -signal.SIGTERM)

    def cause(self) -> str:
        """How the process ended, for people."""
        code = self._popen.returncode
        if self.was_told_to_leave:
            return "it was told to leave (SIGTERM)"
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


_Item = FromDriver | str | WorkerProcess | Leave


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
    ) -> tuple[list[str], FromDriver | WorkerProcess | Leave | None]:
        """A line and those that follow at once, and the first item that is no line."""
        lines = [first]
        while len(lines) < limit and (item := self.take(0)) is not None:
            if not isinstance(item, str):
                return lines, item
            lines.append(item)
        return lines, None
