"""Whoever wants to see what happens in an experiment, as it happens."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from maggy.chronicle import About
from maggy.journal import Record
from maggy.tracking.words import without_secrets

if TYPE_CHECKING:
    from rich.console import RenderableType

_LOOK_S = 0.1
_SAY_AFTER_S, _SAY_EVERY_S = 1.0, 10.0
_HASTE_S = 3.0  # an interpreter that is to exit has so much time for trackers


class Tracker(ABC):
    """Sees every record of an experiment's journal, in order, in a thread of its own: training never waits for it."""

    say: Callable[[str], None] = staticmethod(print)
    """Shows the user a line; set before anything else is called."""

    name: str = ""
    """What it is called where the user is told about it; "" for the name of its class."""

    @property
    def behind(self) -> int:
        """Of the records that it has seen, how many are still to be dealt with."""
        return 0

    def begin(self, about: About) -> None:
        """An experiment begins, or goes on; called once, before anything is seen."""

    @abstractmethod
    def see(self, record: Record) -> None:
        """Something has happened."""

    def refresh(self) -> None:
        """Nothing more is known at present; called several times a second: the time to draw what is shown."""

    def end(self) -> None:
        """The experiment is over; called once, also where it failed."""

    def give_up(self) -> None:
        """Whatever is still to be dealt with is to be left; from any thread, while another call may be at work."""

    def view(self) -> RenderableType | None:
        """What a terminal shows of it, above the progress of the experiment; None for nothing."""
        return None

    def line(self) -> str | None:
        """The same in one line, for where there is no terminal."""
        return None


class Tracking:
    """Has a tracker see the records of a feed, in a thread.

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
        self._given_up = False
        self._done = threading.Event()  # a thread that is joined counts as ended when Ctrl-C comes, before Python 3.13
        self._thread = threading.Thread(target=self._run, name="maggy-tracker", daemon=True)

    @property
    def name(self) -> str:
        return self._tracker.name or type(self._tracker).__name__

    @property
    def left(self) -> int:
        """How many records the tracker has still to deal with."""
        return len(self._feed) + self._tracker.behind

    def start(self) -> None:
        self._thread.start()

    def conclude(self) -> None:
        """No record follows."""
        self._over.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the tracker to have dealt with everything; returns whether it has."""
        return self._done.wait(timeout_s)

    def give_up(self) -> None:
        """Leave what is left."""
        self._given_up = True
        self._tracker.give_up()

    def _run(self) -> None:
        try:
            self._track()
        finally:
            self._done.set()

    def _track(self) -> None:
        works = True
        try:
            self._tracker.say = self._say
            self._tracker.begin(self._about)
            over = False
            while not over:
                over = self._over.wait(_LOOK_S)
                for _ in range(len(self._feed)):
                    if self._given_up:
                        return
                    self._tracker.see(self._feed.popleft())
                self._tracker.refresh()
                self._look()
        except Exception as error:
            works = False
            self._failed(error)
            while not self._over.wait(_LOOK_S):
                self._feed.clear()
        try:
            self._tracker.end()
            if works:
                self._look()
        except Exception as error:
            self._failed(error)

    def _look(self) -> None:
        self.view, self.line = self._tracker.view(), self._tracker.line()

    def _failed(self, error: Exception) -> None:
        self._feed.clear()
        if not self._given_up:
            shown = without_secrets(f"{type(error).__name__}: {error}")  # it may name a service's address
            self._say(f"{self.name} failed and tracks nothing from here on: {shown}")


class Trackings:
    """Lets trackers see an experiment within a `with` block, and waits for them at its end.

    While they have much to catch up with, that is said. Ctrl-C leaves it, and so does an end that cannot wait.
    """

    def __init__(self, trackings: Sequence[Tracking], say: Callable[[str], None]) -> None:
        self._trackings, self._say = trackings, say

    def __enter__(self) -> Trackings:
        for tracking in self._trackings:
            tracking.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for tracking in self._trackings:
            tracking.conclude()
        in_haste = kind is not None and not issubclass(kind, Exception)
        try:
            self._wait(_HASTE_S if in_haste else inf)
        except KeyboardInterrupt:
            pass
        for tracking in self._late():
            tracking.give_up()
            self._say(f"{tracking.name}: {_counted(tracking)} left out")

    def _wait(self, limit_s: float) -> None:
        begun = monotonic()
        say_at = begun + _SAY_AFTER_S
        while (late := self._late()) and monotonic() < begun + limit_s:
            late[0].wait(_LOOK_S)
            if monotonic() >= say_at and (late := self._late()):
                for tracking in late:
                    self._say(f"{tracking.name}: {_counted(tracking)} to write. Ctrl-C leaves that out")
                say_at += _SAY_EVERY_S

    def _late(self) -> list[Tracking]:
        return [tracking for tracking in self._trackings if not tracking.wait(0)]


def _counted(tracking: Tracking) -> str:
    left = tracking.left
    return "its last words" if left == 0 else "1 record" if left == 1 else f"{left:,} records"
