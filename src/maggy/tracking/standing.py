"""Where an experiment stands at this moment, for whoever asks."""

from __future__ import annotations

import threading
import time
from typing import Any

from maggy.chronicle import About, Tally
from maggy.journal import Record
from maggy.tracking.tracker import Tracker


class Standing(Tracker):
    """Counts along, and answers `status` from any thread."""

    def __init__(self) -> None:
        self._tally: Tally | None = None
        self._lock = threading.Lock()

    def begin(self, about: About) -> None:
        self._tally = Tally.of(about)

    def see(self, record: Record) -> None:
        assert self._tally is not None
        with self._lock:
            self._tally.add(record)

    def status(self) -> dict[str, Any]:
        """See `Tally.status`; the state is "starting" before the experiment has begun."""
        with self._lock:
            if self._tally is None:
                return {**Tally("max", 0).status(time.time()), "state": "starting"}
            return self._tally.status(time.time())
