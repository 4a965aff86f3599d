"""Writing the journal: one write per turn of the loop, synced to disk by a thread of its own.

After `flush` the records survive the death of the process; within `SYNC_S` they survive a power cut too. A folder on
an object store, which knows no append, gets immutable segments of the local file every `UPLOAD_S` seconds.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque

from maggy.brain.events import AnyEvent
from maggy.errors import JournalError
from maggy.journal.folder import ExperimentFolder
from maggy.journal.record import Record, to_line

SYNC_S = 0.2
UPLOAD_S = 10.0


class JournalWriter:
    """The only writer of an experiment's journal.

    feeds  queues that get each record as it is written, for whoever watches from the same process
    """

    def __init__(self, folder: ExperimentFolder) -> None:
        self._folder = folder
        self._path = folder.local / "journal" / "00000000.jsonl"
        self._path.parent.mkdir(exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        self._pending: list[bytes] = []
        self._count = 0
        self._written = False  # something that the helper has not been told of
        self.feeds: list[deque[Record]] = []
        self._dirty = threading.Event()
        self._closed = threading.Event()
        self._helper = threading.Thread(target=self._sync_loop, name="maggy-journal", daemon=True)
        self._helper.start()

    def append(self, event: AnyEvent, t: float) -> None:
        """Add a record; it is written with the turn's `flush`."""
        record = Record(self._count, t, event)
        self._count += 1
        self._pending.append(to_line(record))
        for feed in self.feeds:
            feed.append(record)

    def flush(self) -> None:
        """Write what the turn has added.

        Raises JournalError if the disk refuses it.
        """
        if not self._pending:
            return
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be written: {error}") from error
        self._written = True

    def sync_soon(self) -> None:
        """Let the helper bring to disk what was written. Apart from `flush`, as waking a thread takes time."""
        if self._written:
            self._written = False
            self._dirty.set()

    def close(self) -> None:
        """Write, sync and upload everything."""
        self.flush()
        self._closed.set()
        self._dirty.set()
        self._helper.join()
        os.close(self._file)

    def _sync_loop(self) -> None:
        remote = self._folder.is_remote
        uploaded_at = time.monotonic()
        while True:
            # An idle journal needs no timer, unless segments are still owed to a remote folder.
            self._dirty.wait(UPLOAD_S if remote else None)
            last = self._closed.is_set()
            if self._dirty.is_set():
                self._dirty.clear()
                os.fdatasync(self._file)
            if remote and (last or time.monotonic() - uploaded_at >= UPLOAD_S):
                self._folder.upload()
                uploaded_at = time.monotonic()
            if last:
                return
            self._closed.wait(SYNC_S)
