"""Kills what runs trials, one after the other, each when all workers are busy. Only the standard library."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from benchmarks.faults.work import WORKERS, Attempt, Kill, aftermath, attempts, end

AGE_S = 0.5  # of the trial that is killed: what is measured is no start
START_S = 90.0
LOOK_S = 0.01


class Killer(threading.Thread):
    """Kills so many times, and then ends the experiment, so that nobody waits for the trials that are left.

    folder      where the trials leave their lines
    victim      what to kill of the process in which a trial runs: itself, or what holds it
    until       what to wait for before the next kill, see `aftermath`
    patience_s  how long
    """

    def __init__(
        self,
        folder: str,
        kills: int,
        *,
        victim: Callable[[int], int] = int,
        until: Literal["full", "rerun"] = "full",
        patience_s: float = 60.0,
    ) -> None:
        super().__init__(name="killer", daemon=True)
        self._folder, self._number, self._victim = folder, kills, victim
        self._until, self._patience_s = until, patience_s
        self.kills: list[Kill] = []

    def run(self) -> None:
        try:
            for _ in range(self._number):
                if (target := self._next()) is None:
                    return
                victim = self._victim(target.pid)
                self.kills.append(Kill(target.trial, target.pid, time.time()))
                os.kill(victim, signal.SIGKILL)
                self._await(self._is_mended, self._patience_s)
        finally:
            end(self._folder)

    def _next(self) -> Attempt | None:
        """The newest trial that was not killed before, once all workers are busy; None if that does not come."""
        found: list[Attempt] = []

        def there() -> bool:
            running = [each for each in attempts(self._folder) if each.runs()]
            killed = {kill.trial for kill in self.kills}
            ripe = [each for each in running if each.trial not in killed and time.time() - each.began_at > AGE_S]
            found[:] = ripe[-1:] if len(running) >= WORKERS else []
            return bool(found)

        return found[0] if self._await(there, START_S) else None

    def _is_mended(self) -> bool:
        return self._until in aftermath(self.kills, attempts(self._folder))[-1]

    def _await(self, there: Callable[[], bool], patience_s: float) -> bool:
        until = time.monotonic() + patience_s
        while not there():
            if time.monotonic() >= until or Path(self._folder, "over").exists():
                return False
            time.sleep(LOOK_S)
        return True
