"""The experiments under a folder, and which of them are open."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from pathlib import Path, PurePosixPath

from maggy.chronicle import Chronicle, Tally
from maggy.dashboard.reading import Background, Reading
from maggy.errors import ExperimentDirError
from maggy.shelf import experiments_in

_SCAN_S, _SCAN_REMOTE_S = 2.0, 30.0
_LISTING_S = 0.5  # so long the list waits for journals that were not read before
_OPEN, _OPEN_TRIALS = 8, 250_000  # chronicles that are kept, and trials in all of them


class Experiment:
    """A folder that was found.

    id      names it in links; the same whenever the same folder is served
    url     where it lies
    path    where it lies below the folder that is served
    glance  its numbers
    """

    def __init__(self, url: str, path: str) -> None:
        self.id = hashlib.blake2s(url.encode(), digest_size=6).hexdigest()
        self.url, self.path = url, path or PurePosixPath(url).name
        self.glance: Reading[Tally] = Reading(url, Tally.of)


class Catalog:
    """Finds experiments, opens those that somebody looks at, and forgets what nobody has looked at for longest.

    root  an experiment's folder or one that holds some, a path or a URL

    Raises ExperimentDirError if there is no such folder.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") if "://" in root else str(Path(root).resolve())
        self._scan_s = _SCAN_REMOTE_S if "://" in root else _SCAN_S
        self._found: dict[str, Experiment] = {}
        self._open: OrderedDict[str, Reading[Chronicle]] = OrderedDict()
        self._background = Background()
        self._lock = threading.Lock()
        self._scanned = float("-inf")
        self.error: str | None = None
        try:
            next(experiments_in(self.root), None)
        except ExperimentDirError as error:
            raise ExperimentDirError(f"{error}: run an experiment first, or name a folder that holds some") from error

    def experiments(self) -> list[Experiment]:
        """All there are at this moment, each with what a glance tells so far."""
        with self._lock:
            if time.monotonic() - self._scanned > self._scan_s:
                self._scan()
                self._scanned = time.monotonic()
            found = list(self._found.values())
        until = time.monotonic() + _LISTING_S
        for experiment in found:
            if experiment.glance.begun or time.monotonic() < until:
                experiment.glance.look()
            if not experiment.glance.whole and experiment.glance.error is None:
                self._background.read(experiment.glance, first=False)
        return found

    def find(self, id: str) -> Experiment | None:
        """The experiment with this id."""
        if id not in self._found:
            self.experiments()
        return self._found.get(id)

    def open(self, experiment: Experiment) -> Reading[Chronicle]:
        """All about an experiment, as far as it is read."""
        with self._lock:
            reading = self._open.setdefault(experiment.id, Reading(experiment.url, Chronicle))
            self._open.move_to_end(experiment.id)
            while len(self._open) > 1 and (len(self._open) > _OPEN or self._trials() > _OPEN_TRIALS):
                self._open.popitem(last=False)
        reading.look()
        if not reading.whole and reading.error is None:
            self._background.read(reading, first=True)
        return reading

    def _trials(self) -> int:
        return sum(len(reading.book.trials) for reading in self._open.values() if reading.book is not None)

    def _scan(self) -> None:
        try:
            urls = list(experiments_in(self.root))
            self.error = None
        except ExperimentDirError as error:
            self.error = str(error)
            return
        known = {experiment.url: experiment for experiment in self._found.values()}
        found = [known.get(url) or Experiment(url, url.removeprefix(self.root).strip("/")) for url in urls]
        self._found = {experiment.id: experiment for experiment in found}
