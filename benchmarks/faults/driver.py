"""Kills what drives a search, and starts it again. Only the standard library."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.faults.killer import AGE_S
from benchmarks.faults.work import WORKERS, answer, attempts, end, running_at

ENDED = 4
"""So many trials end before the driver is killed."""

PATIENCE_S = 90.0
_DRIVE = "drive"


def contestant(drive: Callable[..., Iterable[int]]) -> None:
    """The main function of a contestant.

    drive  begins the search, or goes on with it, as a user would; returns the trials that have a result. Called in a
           process of its own, with the folder and the contestant's arguments
    """
    if sys.argv[1] == _DRIVE:
        folder, *arguments = sys.argv[2:]
        found = drive(folder, *arguments)
        Path(folder, "found").write_text("\n".join(map(str, found)))
        os._exit(0)
    outlive(*sys.argv[1:])


def outlive(folder: str, *arguments: str) -> None:
    """Measure.

    first, full    from the start of the second driver to the first line of a trial, and until all workers are busy
    kept, again    trials that had ended before, and how many of them were run again
    lost           and how many of them have no result in the end
    """
    main = sys.modules["__main__"].__spec__
    assert main is not None
    command = [sys.executable, "-W", "ignore", "-m", main.name, _DRIVE, folder, *arguments]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: is_due(folder), first)
    killed_at = time.time()
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = {each.trial for each in attempts(folder) if each.ended_at < killed_at}
    until(lambda: not any(each.runs() for each in attempts(folder)))
    began_at = time.time()
    second = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: full_at(folder, began_at) is not None, second)
    end(folder)
    if second.wait(PATIENCE_S) != 0:
        raise RuntimeError("the second driver failed")
    after = [each for each in attempts(folder) if each.began_at > began_at]
    full = full_at(folder, began_at)
    assert full is not None
    answer(
        first=min(each.began_at for each in after) - began_at,
        full=full - began_at,
        kept=len(before),
        again=len(before & {each.trial for each in after}),
        lost=len(before - {int(line) for line in Path(folder, "found").read_text().split()}),
    )


def is_due(folder: str) -> bool:
    """Whether enough trials have ended, and the others are well under way."""
    ran = attempts(folder)
    running = [each for each in ran if each.runs()]
    ripe = all(time.time() - each.began_at > AGE_S / 2 for each in running)
    return len(ran) - len(running) >= ENDED and len(running) >= WORKERS and ripe


def full_at(folder: str, since: float) -> float | None:
    """When all workers were busy again."""
    ran = [each for each in attempts(folder) if each.began_at > since]
    return min((each.began_at for each in ran if running_at(each.began_at, ran) >= WORKERS), default=None)


def until(there: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for something.

    Raises RuntimeError where it does not come, or where the process ends before.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not there():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise RuntimeError(f"nothing came of it within {PATIENCE_S:g} s, or the driver has failed")
        time.sleep(0.01)
