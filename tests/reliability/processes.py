"""Finding processes to kill, on Linux."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path


def descendants(of: int | None = None) -> dict[int, str]:
    """The command lines of all processes that a process has started, directly or not, by number."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (above := parent(int(folder.name))) is not None:
            children.setdefault(above, []).append(int(folder.name))
    found: dict[int, str] = {}
    waiting = [os.getpid() if of is None else of]
    while waiting:
        for child in children.get(waiting.pop(), []):
            waiting.append(child)
            try:
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


def parent(of: int) -> int | None:
    """The number of the process that has started this one; None if it has ended meanwhile."""
    try:
        return int(Path(f"/proc/{of}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def worker_processes() -> list[int]:
    """The worker processes of the experiments of this process, and their guards."""
    return sorted(number for number, command in descendants().items() if "maggy.worker.guard" in command)


class Killer(threading.Thread):
    """Kills processes with -9 at random times until it is told to stop, each of them once.

    victims  those that may be killed now
    pause_s  the mean time between two kills
    signum   what is sent in place of SIGKILL

    killed  when, in seconds since the epoch, by number
    """

    def __init__(
        self, victims: Callable[[], list[int]], *, pause_s: float, seed: int, signum: int = signal.SIGKILL
    ) -> None:
        super().__init__(name="killer", daemon=True)
        self._victims, self._pause_s, self._chance = victims, pause_s, random.Random(seed)
        self._signum = signum
        self._over = threading.Event()
        self.killed: dict[int, float] = {}

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(self._chance.expovariate(1 / self._pause_s)):
            if victims := [number for number in self._victims() if number not in self.killed]:
                victim = self._chance.choice(victims)
                try:
                    os.kill(victim, self._signum)
                    self.killed[victim] = time.time()
                except ProcessLookupError:
                    continue


class Obituary(threading.Thread):
    """Writes down when processes end, to some hundredths of a second.

    ended  when, in seconds since the epoch, by number
    """

    def __init__(self) -> None:
        super().__init__(name="obituary", daemon=True)
        self._watched: frozenset[int] = frozenset()
        self._over = threading.Event()
        self.ended: dict[int, float] = {}

    def __enter__(self) -> Obituary:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def watch(self, numbers: Iterable[int]) -> None:
        self._watched |= frozenset(numbers)

    def run(self) -> None:
        while not self._over.wait(0.02):
            for number in self._watched - self.ended.keys():
                if not Path(f"/proc/{number}").exists():
                    self.ended[number] = time.time()
