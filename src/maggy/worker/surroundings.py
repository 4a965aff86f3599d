"""What a trial finds in its process, and what is put back after it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

_OWN_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_OUTPUTS = (1, 2)


class Surroundings:
    """The working directory, the standard streams, and the signals that Maggy needs, as they are now.

    A trial may change all of it, and the next one finds it as the first has. Everything else that a process keeps
    stays as a trial leaves it, because libraries set it up once and rely on it: modules, environment variables, random
    streams, threads.
    """

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._handlers = {signum: signal.getsignal(signum) for signum in _OWN_SIGNALS}
        self._copies = {descriptor: os.dup(descriptor) for descriptor in _OUTPUTS}

    def restore(self) -> None:
        """Put it back. Never raises: what is gone for good shows where it is used."""
        with suppress(OSError):
            if self._now_in() != self._folder:
                os.chdir(self._folder)
        for descriptor, copy in self._copies.items():
            with suppress(OSError):
                os.dup2(copy, descriptor)
        self._restore_streams()
        signal.setitimer(signal.ITIMER_REAL, 0)  # an alarm that a trial has set would kill the next one
        for signum, handler in self._handlers.items():
            if signal.getsignal(signum) is not handler:
                signal.signal(signum, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _now_in(self) -> str | None:
        try:
            return os.getcwd()
        except FileNotFoundError:  # it was removed
            return None

    def _restore_streams(self) -> None:
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            stream = getattr(sys, f"__{name}__")
            if stream is None or stream.closed:
                with suppress(OSError):
                    stream = open(descriptor, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
                setattr(sys, f"__{name}__", stream)
            else:
                with suppress(OSError):
                    stream.flush()  # what threads have printed that a trial has left behind
            setattr(sys, name, stream)
