"""What the loop needs of the world outside of it. A simulation brings its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from maggy.brain.events import AnyEvent
from maggy.driver.keeper import Deletion


class Clock(Protocol):
    """Tells the time; the module `time` is one."""

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
        ...

    def time(self) -> float:
        """Seconds since the epoch, as trials and journals show them."""
        ...


class Journal(Protocol):
    """Takes the events, see `JournalWriter`."""

    def append(self, event: AnyEvent, t: float) -> None: ...

    def flush(self) -> None: ...

    def sync_soon(self) -> None: ...


class LogFiles(Protocol):
    """Takes what trials and workers have printed, see `Logs`."""

    def trial(self, trial: int, lines: list[str]) -> None: ...

    def worker(self, worker: int, lines: list[str]) -> None: ...


class CheckpointStore(Protocol):
    """Where checkpoints are deleted, see `Janitor`."""

    folder: str

    def delete(self, deletions: Iterable[Deletion]) -> None: ...
