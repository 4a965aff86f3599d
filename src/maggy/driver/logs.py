"""Logs of trials and workers, as files in the experiment's folder."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

Show = Callable[[str], None]


class Logs:
    """Appends lines to `trials/<id>/output.log` and `workers/<n>.log` in a thread of its own.

    show  called with each line, prefixed with whose it is; None to keep quiet
    """

    def __init__(self, folder: Path, show: Show | None) -> None:
        self._folder, self._show = folder, show
        self._queue: queue.SimpleQueue[tuple[str, str, list[str]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="maggy-logs", daemon=True)
        self._thread.start()

    def trial(self, trial: int, lines: list[str]) -> None:
        self._queue.put((f"trials/{trial}/output.log", f"trial {trial}", lines))

    def worker(self, worker: int, lines: list[str]) -> None:
        self._queue.put((f"workers/{worker}.log", f"worker {worker}", lines))

    def close(self) -> None:
        """Write what is left."""
        self._queue.put(None)
        self._thread.join()

    def _append(self, path: Path, lines: list[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in lines)

    def _write(self) -> None:
        failed = False
        while (item := self._queue.get()) is not None:
            name, prefix, lines = item
            try:
                self._append(self._folder / name, lines)
            except OSError as error:  # a full disk costs lines of log, and no trial
                if not failed and self._show is not None:
                    self._show(f"the logs cannot be written any more: {error}")
                failed = True
            if self._show is not None:
                for line in lines:
                    self._show(f"[{prefix}] {line}")
