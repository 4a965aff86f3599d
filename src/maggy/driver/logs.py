"""Logs of trials and workers, as files in the experiment's folder."""

from __future__ import annotations

import errno
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

Show = Callable[[str], None]

_LIMIT = 32 << 20  # bytes of one file; what a trial may send is less, so that its traceback still fits
_FULL = f"\n[maggy: this log is full at {_LIMIT >> 20} MiB; the rest is dropped]\n".encode()
_MISSING = b"\n[maggy: lines are missing here, the disk refused them]\n"


class Logs:
    """Appends lines to `trials/<id>/output.log` and `workers/<n>.log` in a thread of its own.

    A file grows to 32 MiB, and its last line then says so. Lines that the disk refuses are dropped, and later ones
    written when it takes them again.

    show  called with each line, prefixed with whose it is; None to keep quiet
    """

    def __init__(self, folder: Path, show: Show | None) -> None:
        self._folder, self._show = folder, show
        self._queue: queue.SimpleQueue[tuple[str, str, list[str]] | None] = queue.SimpleQueue()
        self._torn: set[str] = set()  # files that the disk refused lines of
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

    def _append(self, name: str, lines: list[str]) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = "".join(f"{line}\n" for line in lines).encode(errors="replace")
        with path.open("ab", buffering=0) as file:
            room = _LIMIT - file.tell()
            if room < 0:  # it ends with the line that says so
                return
            if name in self._torn:
                data = _MISSING + data
            if len(data) > room:
                data = data[:room] + _FULL
            done = file.write(data)
        if done < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._torn.discard(name)

    def _write(self) -> None:
        failing = False
        while (item := self._queue.get()) is not None:
            name, prefix, lines = item
            try:
                self._append(name, lines)
                failing = False
            except OSError as error:  # a full disk costs lines of log, and no trial
                self._torn.add(name)
                if not failing and self._show is not None:
                    self._show(f"the logs cannot be written: {error}")
                failing = True
            if self._show is not None:
                for line in lines:
                    self._show(f"[{prefix}] {line}")
