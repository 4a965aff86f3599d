"""A stop in the middle of a function that does not broadcast."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class Interruption:
    """Raises an error in a function that runs in another thread, once: at its next instruction of Python."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._waiting: tuple[int, type[BaseException]] | None = None  # the thread, and what is raised there

    def stop(self) -> None:
        """Raise it; in a function that begins later, at once. From any thread."""
        with self._lock:
            self._stopped = True
            if self._waiting is not None:
                thread, error = self._waiting
                self._waiting = None
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))

    def call(self, function: Callable[[], _T], error: type[BaseException]) -> _T:
        """Call the function; a stop raises the error within it, and nowhere else."""
        try:
            try:
                with self._lock:
                    if self._stopped:
                        raise error
                    self._waiting = threading.get_ident(), error
                return function()
            finally:
                with self._lock:
                    self._waiting = None
        finally:
            # One that came too late must not hit what follows. It is raised here, as it cannot well be taken back:
            # Python 3.11 would then look for it at every call, and loop for ever under a profiler or debugger.
            try:
                for _ in range(100):
                    pass
            except error:
                pass
