"""Progress: a line whenever something has changed, and a live view in a terminal."""

from __future__ import annotations

import io
import re
import threading
from collections import deque
from contextlib import redirect_stderr

from brain.helpers import Failed, Finished, Joined, Judged, Left, Suggested

from maggy.chronicle.tally import Tally
from maggy.journal import Record
from maggy.tracking import progress as module
from maggy.tracking.progress import Progress, show_params

PATIENCE_S = 30


class Screen(io.StringIO):
    """A stream whose reader can wait for a text to appear."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal
        self._written = threading.Condition()

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        with self._written:
            self._written.notify_all()
            return super().write(text)

    def wait_for(self, text: str) -> None:
        with self._written:
            assert self._written.wait_for(lambda: text in self.getvalue(), PATIENCE_S), self.getvalue()


class Show:
    """A progress on a screen of its own, and the feed that it reads."""

    def __init__(self, trials: int = 9, *, terminal: bool = False) -> None:
        self.feed: deque[Record] = deque()
        self.screen = Screen(terminal=terminal)
        self._progress = Progress("MNIST", Tally("max", trials), self.feed)

    def __enter__(self) -> Show:
        with redirect_stderr(self.screen):
            self._progress.__enter__()
        self.say = self._progress.say
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.__exit__(None, None, None)

    def happen(self, *events) -> None:
        self.feed.extend(Record(n, 0.0, event) for n, event in enumerate(events))


START = [Joined(0), Suggested(ask=0, trial=0, lr=0.123456, layers=2)]


def test_at_the_end_the_last_state_is_said_once():
    with Show() as show:
        show.happen(*START, Finished(0, metric=0.9876543))
    assert show.screen.getvalue() == ("MNIST: 1 of 9 trials, 0 running, best 0.987654 (trial 0: lr=0.1235 layers=2)\n")


def test_what_went_otherwise_is_counted_too():
    with Show(trials=4) as show:
        show.happen(
            Joined(0),
            Joined(1),
            Suggested(ask=0, trial=0),
            Suggested(ask=1, trial=1),
            Judged(0, step=1, stop=True),
            Left(0, metric=0.25),
            Failed(1),
            Suggested(ask=2, trial=2),
        )
    assert (
        show.screen.getvalue() == "MNIST: 2 of 4 trials, 1 running, 1 stopped early, 1 failed, best 0.25 (trial 0: )\n"
    )


def test_while_it_runs_a_line_is_said_when_something_has_changed_and_only_then(monkeypatch):
    monkeypatch.setattr(module, "_LINE_EVERY_S", 0.001)
    with Show() as show:
        show.screen.wait_for("0 of 9 trials, 0 running\n")
        show.happen(*START)
        show.screen.wait_for("0 of 9 trials, 1 running\n")
        show.happen(Finished(0, metric=0.5))
        show.screen.wait_for("1 of 9 trials, 0 running")
    assert show.screen.getvalue().splitlines() == [
        "MNIST: 0 of 9 trials, 0 running",
        "MNIST: 0 of 9 trials, 1 running",
        "MNIST: 1 of 9 trials, 0 running, best 0.5 (trial 0: lr=0.1235 layers=2)",
    ]


def test_other_lines_are_said_as_they_are():
    with Show() as show:
        show.say("[trial 3] [bold]no markup[/bold] " + "long " * 50)
    assert show.screen.getvalue().splitlines()[0] == "[trial 3] [bold]no markup[/bold] " + "long " * 50


def test_a_terminal_gets_a_live_view_that_is_never_wider_than_it_is(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with Show(terminal=True) as show:
        show.say("[trial 0] epoch 1")
        show.happen(
            Joined(0),
            Suggested(ask=0, trial=0, **{f"a_long_name_{number}": number for number in range(20)}),
            Finished(0, metric=0.5),
        )
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", show.screen.getvalue()).replace("\r", "\n").splitlines()
    assert any("[trial 0] epoch 1" in line for line in lines)
    assert lines[-2].startswith("MNIST  ━") and "1 of 9 trials, 0 running, 0:0" in lines[-2]
    assert lines[-1].startswith("best   0.5 (trial 0: a_long_name_0=0 a_long_name_1=1") and lines[-1].endswith("…")
    assert max(map(len, lines)) <= 80


def test_its_thread_ends_with_it():
    before = set(threading.enumerate())
    with Show():
        assert set(threading.enumerate()) != before
    assert set(threading.enumerate()) == before


def test_a_configuration_on_one_line():
    assert show_params({"lr": 0.000123456, "layers": 2, "opt": "adam", "units": [64, 32]}) == (
        "lr=0.0001235 layers=2 opt=adam units=[64, 32]"
    )
    assert show_params({}) == ""
