"""One experiment, read bit by bit while people look at it."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from maggy.chronicle import About
from maggy.errors import MaggyError
from maggy.journal import ExperimentFolder, Follower, Record, Voided
from maggy.journal.control import driver_alive

_CHUNK = 500  # records that are taken in at once: others wait for so long
_AT_ONCE = 2000  # records that a question waits for; more of them are read in the background
_FRESH_S = 0.5  # so old may an answer be
_RETRY_S, _RETRY_SOON_S = 30.0, 2.0  # after an error; soon where nothing had been read by then
_THIS_SERVER = secrets.token_hex(4)
_readings = itertools.count()


class Book(Protocol):
    """What records are written into: a Tally or a Chronicle."""

    def add(self, record: Record) -> object: ...


BookT = TypeVar("BookT", bound=Book)


class Reading(Generic[BookT]):
    """The records of a folder, taken into a book as far as they are known.

    folder  the experiment; None before it could be opened
    about   what is known of it before; None as well
    book    what the records have told so far; whoever looks into it holds `lock`
    error   why it cannot be read, or not further
    whole   whether everything that was written at the last look has been read
    last_t  time of the last record, in seconds since the epoch
    version grows whenever something is new
    """

    def __init__(self, url: str, begin: Callable[[About], BookT]) -> None:
        self.url, self._begin = url, begin
        self.lock = threading.RLock()
        self.folder: ExperimentFolder | None = None
        self.about: About | None = None
        self.book: BookT | None = None
        self.error: str | None = None
        self.whole = False
        self.last_t: float | None = None
        self.version, self._number = 0, next(_readings)
        self._follower: Follower | None = None
        self._looked = float("-inf")

    @property
    def records(self) -> int:
        """How many records were read."""
        return 0 if self._follower is None else self._follower.count

    @property
    def begun(self) -> bool:
        """Whether anything was read."""
        return self._follower is not None

    @property
    def tag(self) -> str:
        """What is known, as a name that no other state of any experiment has."""
        return f"{_THIS_SERVER}-{self._number}-{self.version}"

    def look(self) -> None:
        """Take in what is new, if that is little; `whole` says whether something is left for `advance`."""
        with self.lock:
            old_s = time.monotonic() - self._looked
            if self.error is not None:
                if old_s < (_RETRY_S if self.begun else _RETRY_SOON_S):
                    return
                self._start_over()
            elif (self.begun and not self.whole) or old_s < _FRESH_S:
                return
            self._looked = time.monotonic()
            self._read(_AT_ONCE)

    def advance(self) -> bool:
        """Take in the next records; returns whether there are more."""
        with self.lock:
            self._looked = time.monotonic()
            self._read(_CHUNK)
            return self.begun and not self.whole and self.error is None

    def _read(self, limit: int) -> None:
        try:
            if self._follower is None:
                self.folder = ExperimentFolder.open(self.url)
                self.about = About.read(self.folder)
                self.book, self._follower = self._begin(self.about), Follower(self.folder)
            assert self.book is not None
            records = self._follower.new(limit)
            for record in records:
                self.book.add(record)
            if records:
                self.last_t = records[-1].t
                self.version += 1
            self.whole = len(records) < limit
        except Voided:  # also where another experiment has the folder now: all of it is read anew
            self._start_over()
        except Exception as error:  # each file system has errors of its own; one experiment costs the others nothing
            if self.about is None and self.folder is not None and driver_alive(self.folder):
                return  # its driver is still making it
            self.error = str(error) if isinstance(error, MaggyError) else f"{type(error).__name__}: {error}"
            self.version += 1

    def _start_over(self) -> None:
        self.folder = self.about = self.book = self._follower = self.error = None
        self.whole, self.version = False, self.version + 1


class Background:
    """A thread that reads on in whatever was asked for, the last one first, and ends when all of it is read."""

    def __init__(self) -> None:
        self._wanted: list[Reading[Any]] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def read(self, reading: Reading[Any], *, first: bool) -> None:
        """Read on in this one.

        first  whether the others wait for it
        """
        with self._lock:
            if reading in self._wanted:
                if not first:
                    return
                self._wanted.remove(reading)
            self._wanted.insert(len(self._wanted) if first else 0, reading)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="maggy-ui-reader", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._thread = None
                    return
                reading = self._wanted[-1]
            if not reading.advance():
                with self._lock:
                    self._wanted.remove(reading)
            time.sleep(0.001)  # whoever waits for the lock gets it
