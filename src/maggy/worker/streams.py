"""What a trial prints goes to its log."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class TrialStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr` while a trial runs.

    log   gets each whole line
    real  the stream it stands in for: asked for everything but writing
    echo  write to the real stream as well
    """

    def __init__(self, log: Callable[[str], None], real: TextIO, *, echo: bool) -> None:
        self._log, self._real, self._echo = log, real, echo
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._log(line.rpartition("\r")[2])  # a progress bar that redraws its line leaves its last state
        if self._echo:
            self._real.write(text)
        return len(text)

    def flush(self) -> None:
        if self._echo:
            self._real.flush()

    def end(self) -> None:
        """Log a last line that no line feed ended."""
        if self._rest:
            self._log(self._rest.rpartition("\r")[2])
            self._rest = ""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._echo and self._real.isatty()

    def fileno(self) -> int:
        return self._real.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a plain attribute
        return self._real.encoding

    @property
    def buffer(self) -> io.BufferedIOBase:
        return self._real.buffer  # type: ignore[return-value]


@contextmanager
def captured(log: Callable[[str], None], *, echo: bool) -> Iterator[None]:
    """Send what Python prints to `log`, line by line.

    echo  also print it where it would have gone
    """
    before = sys.stdout, sys.stderr
    streams = [TrialStream(log, real, echo=echo) for real in before]
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in streams:
            stream.end()
