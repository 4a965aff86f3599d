"""What a simulation leaves behind: nothing, or an experiment's folder like any other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from maggy.brain.events import AnyEvent
from maggy.driver import Logs
from maggy.driver.outside import Journal, LogFiles
from maggy.journal import ExperimentFolder, JournalWriter
from maggy.journal.folder import to_json
from maggy.result import Result


class CountingJournal(Journal, Protocol):
    """A journal that knows how many events it has taken."""

    @property
    def count(self) -> int: ...


@dataclass
class Records:
    """Where things are written.

    folder  None: nowhere
    """

    journal: CountingJournal
    logs: LogFiles
    folder: ExperimentFolder | None = None

    def keep(self, result: Result) -> None:
        """Write the result down."""
        if self.folder is not None:
            self.folder.write("result.json", to_json(dict(result)))


class _Nowhere:
    """Takes everything, and counts events."""

    def __init__(self) -> None:
        self.count = 0

    def append(self, event: AnyEvent, t: float) -> None:
        self.count += 1

    def flush(self) -> None: ...

    def sync_soon(self) -> None: ...

    def trial(self, trial: int, lines: list[str]) -> None: ...

    def worker(self, worker: int, lines: list[str]) -> None: ...


class _Failures(Logs):
    """The logs of trials that failed. Why the search did what it did is in the journal: very many files would say it
    again."""

    def trial(self, trial: int, lines: list[str]) -> None:
        said = [line for line in lines if not line.startswith("[maggy] ")]
        if said:
            super().trial(trial, said)


@contextmanager
def recording(
    experiment_dir: str | os.PathLike[str] | None, name: str, about: Callable[[], Mapping[str, Any]]
) -> Iterator[Records]:
    """The records of a simulation, closed at the end.

    experiment_dir  None: they go nowhere
    about           says what is in experiment.json

    Raises ExperimentDirError or JournalError if the folder cannot be written.
    """
    if experiment_dir is None:
        nowhere = _Nowhere()
        yield Records(nowhere, nowhere)
        return
    folder = ExperimentFolder.create(experiment_dir, name)
    try:
        folder.write("experiment.json", to_json({**about(), "id": folder.id, "no_recipe": "it was simulated"}))
        journal, logs = JournalWriter(folder), _Failures(folder.local, None)
        try:
            yield Records(journal, logs, folder)
        finally:
            logs.close()
            journal.close()
    finally:
        folder.close()
