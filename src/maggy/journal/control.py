"""What others ask of a driver: files in the experiment's folder, which it looks for every second."""

from __future__ import annotations

import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

import msgspec

from maggy.journal.epochs import read_claim
from maggy.journal.folder import ExperimentFolder

_LOOK_S, _LOOK_REMOTE_S = 1.0, 5.0
_CLOCK_S = 10.0  # so much the clock may have been set since a driver began
_FOLDER = "control"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a driver is asked to do.

    do     "stop": the experiment, or one trial; what has finished is kept
    trial  None for all of them
    by     who asks, for the journal
    """

    do: Literal["stop"]
    trial: int | None = None
    by: str = ""


def ask(folder: ExperimentFolder, request: Request) -> None:
    """Ask the driver of an experiment for something. It obeys within a second, on an object store within five.

    Raises OSError, or what its file system raises, if the folder cannot be written.
    """
    name = f"{_FOLDER}/{time.time_ns()}-{secrets.token_hex(4)}.json"
    folder.place.put_new(name, msgspec.json.encode(request))


def driver_alive(folder: ExperimentFolder) -> bool | None:
    """Whether the driver of an experiment runs; None if that cannot be known from this machine."""
    try:
        owner = msgspec.json.decode((folder.local / ".lock").read_bytes())
        pid, host, since = int(owner["pid"]), str(owner["host"]), float(owner["since"])
    except FileNotFoundError:  # it is removed at the end; of a folder on a store it lies where the driver runs
        return None if folder.is_remote else False
    except (OSError, msgspec.MsgspecError, KeyError, TypeError, ValueError):  # it is being written at this moment
        return None
    if host != socket.gethostname():
        return None
    return _is_alive(pid, since)


def _is_alive(pid: int, since: float) -> bool:
    """Whether a process runs that has run since then: neither one that is dead and not yet waited for, nor a later one
    that was given its number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        booted = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
        began = int(fields[18]) / os.sysconf("SC_CLK_TCK") + int(booted[1]) if booted else since
    except (OSError, ValueError, IndexError):  # not Linux, or it has ended at this moment: the next look tells
        return True
    return state not in "ZX" and began < since + _CLOCK_S


class Obeying:
    """Looks for requests, and has them obeyed, within a `with` block. What was asked of an earlier driver is dropped.

    obey  called with each, in a thread of its own
    """

    def __init__(self, folder: ExperimentFolder, obey: Callable[[Request], None]) -> None:
        self._place, self._epoch, self._obey = folder.place, folder.epoch, obey
        self._look_s = _LOOK_REMOTE_S if folder.is_remote else _LOOK_S
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="maggy-control", daemon=True)

    def __enter__(self) -> Obeying:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        claimed_ns = 0.0
        with suppress(Exception):  # each file system has errors of its own
            claim = read_claim(self._place, self._epoch)
            claimed_ns = 0.0 if claim is None else claim.time * 1e9
        for name, request in self._take():
            if _asked_ns(name) >= claimed_ns:  # while this driver was starting
                self._obey(request)
        while not self._over.wait(self._look_s):
            for _, request in self._take():
                self._obey(request)

    def _take(self) -> list[tuple[str, Request]]:
        """The requests that lie there, which lie there no more, by name. What is none is dropped too."""
        requests = []
        with suppress(Exception):  # each file system has errors of its own; the next look may succeed
            for name in self._place.sizes(_FOLDER):
                if not name.endswith(".json"):
                    continue
                with suppress(msgspec.MsgspecError):
                    requests.append((name, msgspec.json.decode(self._place.read(name), type=Request)))
                self._place.remove(name)
        return requests


def _asked_ns(name: str) -> int:
    """When `ask` wrote a file, by its name; 0 if somebody else did."""
    begin = name.removeprefix(f"{_FOLDER}/").partition("-")[0]
    return int(begin) if begin.isdecimal() else 0
