"""Whoever wants to see what happens in an experiment, as it happens."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from maggy.chronicle import About
from maggy.journal import Record

if TYPE_CHECKING:
    from rich.console import RenderableType

_LOOK_S = 0.1


class Tracker(ABC):
    """Sees every record of an experiment's journal, in order, in a thread of its own: training never waits for it."""

    def begin(self, about: About) -> None:
        """An experiment begins, or goes on; called once, before anything is seen."""

    @abstractmethod
    def see(self, record: Record) -> None:
        """Something has happened."""

    def refresh(self) -> None:
        """Nothing more is known at present; called several times a second: the time to draw what is shown."""

    def end(self) -> None:
        """The experiment is over; called once, also where it failed."""

    def view(self) -> RenderableType | None:
        """What a terminal shows of it, above the progress of the experiment; None for nothing."""
        return None

    def line(self) -> str | None:
        """The same in one line, for where there is no terminal."""
        return None


class Tracking:
    """Has a tracker see the records of a feed, within a `with` block.

    about  the experiment
    feed   the records, as the journal's writer gives them
    say    called with a line where the tracker fails; from then on it sees nothing, and the experiment goes on

    view  what the tracker showed last in a terminal
    line  the same in one line
    """

    view: RenderableType | None = None
    line: str | None = None

    def __init__(self, tracker: Tracker, about: About, feed: deque[Record], say: Callable[[str], None]) -> None:
        self._tracker, self._about, self._feed, self._say = tracker, about, feed, say
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._track, name="maggy-tracker", daemon=True)

    def __enter__(self) -> Tracking:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _track(self) -> None:
        works = True
        try:
            self._tracker.begin(self._about)
            over = False
            while not over:
                over = self._over.wait(_LOOK_S)
                for _ in range(len(self._feed)):
                    self._tracker.see(self._feed.popleft())
                self._tracker.refresh()
                self._look()
        except Exception as error:
            works = False
            self._failed(error)
            self._over.wait()
        try:
            self._tracker.end()
            if works:
                self._look()
        except Exception as error:
            self._failed(error)

    def _look(self) -> None:
        self.view, self.line = self._tracker.view(), self._tracker.line()

    def _failed(self, error: Exception) -> None:
        name = type(self._tracker).__name__
        self._say(f"{name} failed and tracks nothing from here on: {type(error).__name__}: {error}")
