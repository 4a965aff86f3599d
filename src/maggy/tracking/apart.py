"""A tracking service, written to by a process of its own: the driver needs its own time for the workers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

import msgspec

from maggy.chronicle import About
from maggy.journal import Record
from maggy.tracking.tracker import Tracker


class Begin(msgspec.Struct, frozen=True):
    """The first line that the process gets; an empty one follows when the journal is closed.

    service, place  what it writes to, see `to_trackers`
    patience_s      how long it tries a service that does not answer, once the experiment is over
    url, about      the experiment's folder, and what its experiment.json says
    """

    service: str
    place: str
    patience_s: float
    url: str
    about: dict[str, object]


class Word(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line that the process gives back.

    written  how many records it has dealt with
    say      for the user
    """

    written: int = -1
    say: str = ""


class Apart(Tracker):
    """Has a process follow the journal and write to a service. What happens to that costs the experiment nothing.

    Records are not handed over: on a busy driver, thousands a second, that alone would be felt.

    service, place  see `to_trackers`
    patience_s      how long a service that does not answer is tried, once the experiment is over
    """

    def __init__(self, service: str, place: str = "", *, patience_s: float = 30.0) -> None:
        self.name, self._place, self._patience_s = service, place, patience_s
        self._seen = self._written = 0
        self._broken = self._explained = self._given_up = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def behind(self) -> int:
        return max(0, self._seen - self._written)

    def begin(self, about: About) -> None:
        path = os.pathsep.join(map(os.path.abspath, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "maggy.tracking.service"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C in a terminal is the driver's business
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name=f"maggy-{self.name}", daemon=True
        )
        self._reader.start()
        self._write(msgspec.json.encode(Begin(self.name, self._place, self._patience_s, about.url, dict(about.raw))))

    def see(self, record: Record) -> None:
        self._seen = record.n + 1

    def end(self) -> None:
        if self._process is None:
            return
        self._write(b"")
        self._process.wait()
        self._reader.join()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        if self._broken and not self._given_up:
            self.say(f"{self.name}: {self.behind:,} records could not be written")

    def give_up(self) -> None:
        self._given_up = True
        if self._process is not None:
            self._process.kill()

    def _write(self, line: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None
        with suppress(OSError):  # it has ended, which is said elsewhere
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def _read(self, stream: IO[bytes]) -> None:
        decode = msgspec.json.Decoder(Word).decode
        with stream:
            for line in stream:
                word = decode(line)
                self._written = max(self._written, word.written)
                if word.say:
                    self._explained = True
                    self.say(word.say)
        assert self._process is not None
        self._broken = self._process.wait() != 0
        if self._broken and not self._explained and not self._given_up:
            self.say(f"{self.name}: its process has ended ({self._process.returncode})")
