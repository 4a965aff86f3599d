"""Deletes checkpoints, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from time import monotonic

from maggy.context.checkpoint import attempt_at
from maggy.context.store import store_at
from maggy.driver.keeper import Deletion, Remove, Sweep


class Janitor:
    """Deletes what the keeper says, in order. The thread starts with the first deletion.

    folder   path or URL of the experiment's folder
    delay_s  time in which a record of the journal comes to where it survives the loss of this machine: what it replaces
             is deleted no sooner
    warn     called with one line the first time that something cannot be deleted
    """

    def __init__(self, folder: str, delay_s: float, warn: Callable[[str], None]) -> None:
        self.folder, self._delay_s, self._warn = folder, delay_s, warn
        self._queue: queue.SimpleQueue[tuple[float, Deletion] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._sweeps: dict[int, Sweep] = {}
        self._failed = False

    def delete(self, deletions: Iterable[Deletion]) -> None:
        """Delete these soon."""
        for deletion in deletions:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="maggy-janitor", daemon=True)
                self._thread.start()
            self._queue.put((monotonic() + self._delay_s, deletion))

    def close(self) -> None:
        """Delete what is left, and what late workers have left in trials that had ended.

        Nobody works any more, and the journal is where it stays.
        """
        self._closed.set()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        for sweep in self._sweeps.values():
            self._try(sweep)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            at, deletion = item
            self._closed.wait(max(0.0, at - monotonic()))
            self._try(deletion)
            if isinstance(deletion, Sweep) and deletion.late:
                self._sweeps[deletion.trial] = deletion

    def _try(self, deletion: Deletion) -> None:
        try:
            if isinstance(deletion, Remove):
                store_at(f"{self.folder}/{deletion.place}").remove()
            else:
                self._sweep(deletion)
        except Exception as error:  # each file system has errors of its own
            if not self._failed:
                self._warn(f"a checkpoint that is not needed any more cannot be deleted: {error}")
            self._failed = True

    def _sweep(self, sweep: Sweep) -> None:
        checkpoints = f"{self.folder}/trials/{sweep.trial}/checkpoints"
        for name in store_at(checkpoints).names():
            kept = attempt_at(name) > sweep.attempt or f"trials/{sweep.trial}/checkpoints/{name}" in sweep.keep
            if not kept:
                store_at(f"{checkpoints}/{name}").remove()
