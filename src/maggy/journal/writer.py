"""Writing the journal: one write per turn of the loop, synced to disk by a thread of its own.

After `flush` the records survive the death of the process; within `SYNC_S` they survive a power cut too. A folder on
an object store, which knows no append, gets immutable segments of the local file every `UPLOAD_S` seconds.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque

from maggy.brain.events import AnyEvent
from maggy.errors import JournalError
from maggy.journal.epochs import segment_name
from maggy.journal.folder import ExperimentFolder
from maggy.journal.places import sync_folder
from maggy.journal.record import Record, to_line

SYNC_S = 0.2
UPLOAD_S = 10.0

_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


class JournalWriter:
    """The only writer of an experiment's journal, in the folder's epoch.

    first  number of the next record: how many earlier epochs hold

    feeds       queues that get each record as it is written, for whoever watches from the same process
    sync_error  why the disk does not keep what it was given, until it does

    Raises JournalError if the journal cannot be written.
    """

    def __init__(self, folder: ExperimentFolder, first: int = 0) -> None:
        if first != folder.records:
            raise ValueError(f"the next record of this journal is {folder.records}, not {first}")
        self._folder = folder
        self._path = folder.local / segment_name(folder.epoch, 0)
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be written: {error}") from error
        sync_folder(self._path.parent)
        self._pending: list[bytes] = []
        self._size = 0
        self._unsynced: deque[bytes] = deque()  # the end of the file, as far as a power cut could take it
        self._count = first
        self._written = False  # something that the helper has not been told of
        self._lost: JournalError | None = None
        self.sync_error: OSError | None = None
        self.feeds: list[deque[Record]] = []
        self._dirty = threading.Event()
        self._closed = threading.Event()
        self._helpers = [threading.Thread(target=self._sync_loop, name="maggy-journal", daemon=True)]
        if folder.is_remote:
            self._helpers.append(threading.Thread(target=self._upload_loop, name="maggy-upload", daemon=True))
        for helper in self._helpers:
            helper.start()

    @property
    def count(self) -> int:
        """How many records the journal has, those of earlier epochs included."""
        return self._count

    def append(self, event: AnyEvent, t: float) -> None:
        """Add a record; it is written with the turn's `flush`."""
        record = Record(self._count, t, event)
        self._count += 1
        self._pending.append(to_line(record))
        for feed in self.feeds:
            feed.append(record)

    def flush(self) -> None:
        """Write what the turn has added.

        Raises JournalError if the disk refuses it. Nothing is lost then: the next call goes on where this one stopped,
        unless the error is `final`: the journal was removed, or (FencedError) another driver has taken over.
        """
        if (error := self._lost or self._folder.fenced) is not None:
            raise error.with_traceback(None)
        if not self._pending and self.sync_error is None:
            return
        try:
            if self.sync_error is not None:
                self._sync_again()
            if self._pending:
                self._write()
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be written: {error}") from error

    def sync_soon(self) -> None:
        """Let the helper bring to disk what was written. Apart from `flush`, as waking a thread takes time."""
        if self._written:
            self._written = False
            if not self._dirty.is_set():  # else the helper is about to look, and setting it takes a lock
                self._dirty.set()

    def close(self) -> None:
        """Write and sync everything. The folder's `close` uploads it.

        Raises JournalError if the disk refuses it; the writer is closed all the same.
        """
        try:
            self.flush()
        finally:
            self._closed.set()
            self._dirty.set()
            for helper in self._helpers:
                helper.join()
            os.close(self._file)
        if self.sync_error is not None:
            raise JournalError(f"the journal {self._path} cannot be brought to disk: {self.sync_error}")

    def _write(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        done, rest = 0, memoryview(data)
        try:
            while done < len(data):
                done += os.pwrite(self._file, rest[done:], self._size + done)
        finally:
            self._size += done
            self._unsynced.append(data[:done])
            if done < len(data):
                self._pending.append(data[done:])
            self._written = True

    def _sync_again(self) -> None:
        """Write again what the last good sync did not cover: after a failed one, the kernel may have dropped it."""
        data = b"".join(self._unsynced)
        done, rest = 0, memoryview(data)
        while done < len(data):
            done += os.pwrite(self._file, rest[done:], self._size - len(data) + done)
        os.fdatasync(self._file)
        self._unsynced.clear()
        self.sync_error = None  # last: from here on the helper syncs again

    def _sync(self) -> None:
        if self.sync_error is not None:
            return
        covered = len(self._unsynced)
        try:
            os.fdatasync(self._file)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                self.sync_error = error
                return
        for _ in range(covered):
            self._unsynced.popleft()

    def _look_around(self) -> None:
        """What is written into a file that was removed is lost without an error."""
        self._folder.look_for_successor()
        try:
            gone = not os.path.samestat(self._path.stat(), os.fstat(self._file))
        except OSError as error:
            gone = error.errno in _GONE
        if gone:
            self._lost = JournalError(f"the journal {self._path} was removed while the experiment ran", final=True)

    def _upload_loop(self) -> None:
        while True:
            self._folder.upload()
            if self._closed.wait(UPLOAD_S):
                return

    def _sync_loop(self) -> None:
        while True:
            self._dirty.wait()  # an idle journal needs no timer
            last = self._closed.is_set()
            self._dirty.clear()
            self._sync()
            self._look_around()
            if last:
                return
            self._closed.wait(SYNC_S)
