"""Jobs that a trial has started elsewhere, e.g. on a cluster, and how they end with it."""

from __future__ import annotations

import threading
from collections.abc import Callable

_AGAIN_S = 0.5  # a training function that is to stop may start the next job just then


class Jobs:
    """The jobs of one trial.

    cancel  cancels those that run now
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._ended = threading.Event()
        self._canceller: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether they were cancelled before the trial's end."""
        return self._canceller is not None

    def cancel(self) -> None:
        """Cancel them, and those that the trial still starts before its function has returned. From any thread.

        Returns at once: a cluster may take its time.
        """
        with self._lock:
            if self._canceller is None and not self._ended.is_set():
                self._canceller = threading.Thread(target=self._insist, name="maggy-cancel", daemon=True)
                self._canceller.start()

    def end(self) -> None:
        """The training function has returned: cancel what it has left running."""
        with self._lock:
            self._ended.set()
        if self._canceller is not None:
            self._canceller.join()
        self._cancel()

    def _insist(self) -> None:
        while not self._ended.is_set():
            self._cancel()
            self._ended.wait(_AGAIN_S)
