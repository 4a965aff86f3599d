"""What a trial prints goes to its log."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_LINE_LIMIT = 100_000  # characters of a line that nothing ends


class TrialStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr` while a trial runs.

    log   gets each whole line
    real  the stream it stands in for: asked for everything but writing, and written to once the trial has ended and
          by processes that the trial has forked
    echo  write to the real stream as well
    """

    def __init__(self, log: Callable[[str], None], real: TextIO, *, echo: bool) -> None:
        self._log, self.real, self._echo = log, real, echo
        self._rest: list[str] = []  # of a line that is not ended
        self._rest_size = 0
        self._process = os.getpid()
        self.ended = False

    def write(self, text: str) -> int:
        if self._steps_aside():
            return self.real.write(text)
        if self._echo:
            self.real.write(text)
        whole, line_feed, rest = text.rpartition("\n")
        if line_feed:
            for line in ("".join(self._rest) + whole).split("\n"):
                self._log(_last_state(line))
            self._rest, self._rest_size = [], 0
        if "\r" in rest:
            drawn = "".join(self._rest) + rest
            rest = _last_state(drawn) + "\r" * drawn.endswith("\r")
            self._rest, self._rest_size = [], 0
        if rest and self._rest_size < _LINE_LIMIT:
            self._rest.append(rest)
            self._rest_size += len(rest)
        return len(text)

    def flush(self) -> None:
        if self._echo or self._steps_aside():
            self.real.flush()

    def end(self) -> None:
        """Log a last line that no line feed ended."""
        if self._rest:
            self._log(_last_state("".join(self._rest)))
        self.ended = True

    def __del__(self) -> None:
        """Nothing is closed with it, nor flushed, as the base class would."""

    def _steps_aside(self) -> bool:
        return self.ended or os.getpid() != self._process

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._echo and self.real.isatty()

    def fileno(self) -> int:
        return self.real.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a plain attribute
        return self.real.encoding

    @property
    def buffer(self) -> io.BufferedIOBase:
        return self.real.buffer  # type: ignore[return-value]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)  # name, reconfigure and whatever else a real stream has


@contextmanager
def captured(log: Callable[[str], None], *, echo: bool) -> Iterator[None]:
    """Send what Python prints to `log`, line by line.

    echo  also print it where it would have gone
    """
    streams = {name: TrialStream(log, _living(getattr(sys, name, None)), echo=echo) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        for name, stream in streams.items():
            stream.end()
            setattr(sys, name, _living(getattr(sys, name, None)))


class ThreadStreams(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr` while trials run in several threads: each writes to a stream of its
    own, and the threads of the program to the real one."""

    def __init__(self, real: TextIO) -> None:
        self.real = real
        self.of_thread: dict[int, TrialStream] = {}

    def write(self, text: str) -> int:
        return self._own.write(text)

    def flush(self) -> None:
        self._own.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._own.isatty()

    def fileno(self) -> int:
        return self.real.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a plain attribute
        return self.real.encoding

    @property
    def buffer(self) -> io.BufferedIOBase:
        return self.real.buffer  # type: ignore[return-value]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    @property
    def _own(self) -> TrialStream | TextIO:
        return self.of_thread.get(threading.get_ident(), self.real)


_replacing = threading.Lock()


@contextmanager
def captured_in_thread(log: Callable[[str], None]) -> Iterator[None]:
    """Send what Python prints in this thread to `log`, line by line, and leave that of other threads alone."""
    thread = threading.get_ident()
    streams: dict[str, ThreadStreams] = {}
    with _replacing:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            streams[name] = switch = stream if isinstance(stream, ThreadStreams) else ThreadStreams(stream)
            switch.of_thread[thread] = TrialStream(log, switch.real, echo=False)
            setattr(sys, name, switch)
    try:
        yield
    finally:
        with _replacing:
            for name, switch in streams.items():
                switch.of_thread.pop(thread).end()
                if not switch.of_thread and getattr(sys, name) is switch:
                    setattr(sys, name, switch.real)


def _living(stream: Any) -> Any:
    """The stream, or the one behind it if it is that of an ended trial: another thread's may have ended meanwhile."""
    while isinstance(stream, TrialStream) and stream.ended:
        stream = stream.real
    return stream


def _last_state(line: str) -> str:
    """What a terminal would show of a line that was drawn over and over, as progress bars do."""
    return next((state for state in reversed(line.split("\r")) if state), "")
