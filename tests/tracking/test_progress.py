"""Progress: a line whenever something has changed, and a live view in a terminal."""

from __future__ import annotations

import re
import threading
from collections import deque
from contextlib import redirect_stderr, redirect_stdout

import pytest
from brain.helpers import Failed, Finished, Joined, Judged, Left, Reported, Suggested
from tracking.helpers import Screen, about, records, scene

from maggy.journal import Record
from maggy.tracking import lines as lines_module
from maggy.tracking import progress as progress_module
from maggy.tracking.lines import pause_s
from maggy.tracking.progress import Progress
from maggy.tracking.scene import Scene
from maggy.tracking.terminal import view


class Show:
    """A progress on a screen of its own, and the feed that it reads."""

    def __init__(self, trials: int = 9, *, terminal: bool = False, others=(), **settings) -> None:
        self.feed: deque[Record] = deque()
        self.screen = Screen(terminal=terminal)
        self._progress = Progress(Scene(about(trials, **settings)), self.feed, others)

    def __enter__(self) -> Show:
        with redirect_stderr(self.screen):
            self._progress.__enter__()
        self.say = self._progress.say
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._progress.__exit__(kind, error, traceback)

    def happen(self, *events) -> None:
        self.feed.extend(records(*events))


START = [Joined(0), Suggested(ask=0, trial=0, lr=0.123456, layers=2)]


# --- plain lines


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
    assert show.screen.getvalue() == "MNIST: 2 of 4 trials, 1 running, 1 stopped early, 1 failed, best 0.25 (trial 0)\n"


def test_while_it_runs_a_line_is_said_when_something_has_changed_and_only_then(monkeypatch):
    monkeypatch.setattr(lines_module, "_LEAST_S", 0.001)
    with Show() as show:
        show.screen.wait_for("MNIST: waiting for the first worker\n")
        show.happen(*START)
        show.screen.wait_for("0 of 9 trials, 1 running\n")
        show.happen(Finished(0, metric=0.5))
        show.screen.wait_for("1 of 9 trials, 0 running")
    assert show.screen.getvalue().splitlines() == [
        "MNIST: waiting for the first worker",
        "MNIST: 0 of 9 trials, 1 running",
        "MNIST: 1 of 9 trials, 0 running, best 0.5 (trial 0: lr=0.1235 layers=2)",
    ]


def test_what_comes_while_a_long_burst_is_read_is_in_the_last_state_too(monkeypatch):
    monkeypatch.setattr(progress_module, "_FIRST_S", 0.0)
    monkeypatch.setattr(progress_module, "_REST_S", 60.0)  # it rests until the end
    resting = threading.Event()

    class Feed(deque[Record]):
        def popleft(self) -> Record:
            if len(self) == 2:
                resting.set()
            return super().popleft()

    show = Show(search=False)
    show.feed = show._progress._feed = Feed(records(*START, *(Reported(0, step, 0.5) for step in range(49))))
    with show:
        assert resting.wait(10)
        show.happen(Reported(0, 49, 0.25))
    assert show.screen.getvalue().endswith("0.25 at step 49\n")


def test_of_a_single_run_lines_say_what_it_has_reported():
    with Show(1, search=False) as show:
        show.happen(Joined(0), Suggested(ask=0, trial=0), Reported(0, 3, 0.5), Reported(0, 4, 0.25))
    assert show.screen.getvalue() == "MNIST: running, 0.25 at step 4\n"


def test_the_longer_it_takes_the_rarer_the_lines_and_what_is_notable_waits_less():
    assert [pause_s(minutes * 60, notable=False) for minutes in (0, 1, 10, 30, 600)] == [1, 1, 10, 30, 30]
    assert [pause_s(minutes * 60, notable=True) for minutes in (0, 10, 60, 600)] == [1, 1, 6, 30]
    said, at = 0, 0.0  # ten thousand trials in three hours: something has always changed
    while (at := at + pause_s(at, notable=False)) < 3 * 3600:
        said += 1
    assert said < 600


def test_other_lines_are_said_as_they_are():
    with Show() as show:
        show.say("[trial 3] [bold]no markup[/bold] " + "long " * 50)
    assert show.screen.getvalue().splitlines()[0] == "[trial 3] [bold]no markup[/bold] " + "long " * 50


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("FORCE_COLOR", "1")])
def test_lines_are_plain_on_a_terminal_that_cannot_draw_and_in_a_file_whatever_rich_is_told(
    monkeypatch, variable, value
):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    with Show(terminal=variable == "TERM") as show:
        show.happen(*START, Finished(0))
    assert "\x1b[?25l" not in show.screen.getvalue() and "\x1b[2K" not in show.screen.getvalue()
    assert show.screen.getvalue().count("\n") == 1


# --- in a terminal


def drawn(shown, *, width=80, **console):
    """What the live view shows of a scene, line by line."""
    from rich.console import Console

    screen = Screen(terminal=True)
    Console(file=screen, width=width, color_system=None, **console).print(view(shown), end="")
    return screen.getvalue().splitlines()


def happened(trials: int):
    """Each trial is a little better than the one before."""
    events = [Joined(0), Joined(1)]
    for number in range(trials):
        events += [Suggested(ask=number, trial=number, lr=0.1, layers=number), Finished(number, metric=number / 10)]
    return events


def test_four_lines_say_how_far_it_is_what_is_best_and_why_something_was_done():
    events = [*happened(5), Suggested(ask=5, trial=5), Failed(5), Suggested(ask=6, trial=6)]
    events += [Judged(6, step=1, stop=True, reason="below the median of 5")]
    lines = drawn(scene(*events, trials=12), width=100)
    assert lines[0] == "MNIST  " + "━" * 24 + "  6 of 12 trials, 1 running, 1 failed"
    assert re.fullmatch(r"time   0:00; 2 workers, \d+% busy", lines[1])
    assert lines[2] == "best   0.4  ▁▃▅▆██  trial 4: lr=0.1 layers=4"
    assert lines[3] == "why    trial 6 stopped: below the median of 5"
    assert len(lines) == 4


def test_before_anybody_has_come_it_says_so():
    assert drawn(scene(), width=90)[0].endswith("  waiting for the first worker")


def test_of_a_single_run_it_shows_what_is_reported():
    events = [Joined(0), Suggested(ask=0, trial=0), *(Reported(0, step, 0.1 * step) for step in range(8))]
    lines = drawn(scene(*events, trials=1, search=False))
    assert lines[0] == "MNIST  running"
    assert lines[2] == "last   0.7  ▁▂▃▄▅▆▇█  at step 7"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_a_ctrl_c_fits_behind_each(width):
    params = {f"a_long_name_{number}": number for number in range(20)}
    events = [Joined(0), Suggested(ask=0, trial=0, **params), Finished(0, metric=0.5)]
    lines = drawn(scene(*events, name="a name that is much too long, and has\nline feeds"), width=width)
    assert max(map(len, lines)) <= width - len("^C")
    assert lines[2].endswith("…") and not any("\n" in line for line in lines)


def test_where_only_ascii_can_be_written_nothing_else_is():
    from rich.console import Console

    class Ascii(Screen):
        encoding = "ascii"

    screen = Ascii(terminal=True)
    Console(file=screen, width=80).print(view(scene(*happened(5))))
    assert screen.getvalue().isascii() and "#####" in screen.getvalue()


def test_a_live_view_is_drawn_in_place_below_what_is_said_and_leaves_nothing(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with Show(terminal=True) as show:
        show.say("[trial 0] epoch 1")
        show.happen(*START, Finished(0, metric=0.5))
        show.screen.wait_for("trial 0: lr=0.1235")
    written = show.screen.getvalue()
    assert "[trial 0] epoch 1" in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is seen again
    after = written[written.rindex("trial 0: lr=0.1235") :]
    assert "\x1b[2K" in after and "best" not in after  # the counts stay, and the summary says the rest
    assert "1 of 9 trials, 0 running" in after


@pytest.mark.parametrize("at_a_prompt", [True, False])
def test_from_the_background_nothing_is_drawn_over_a_prompt(monkeypatch, at_a_prompt):
    monkeypatch.setenv("TERM", "xterm")
    if at_a_prompt:
        monkeypatch.setattr("sys.ps1", ">>> ", raising=False)
    screens = []

    def in_background():
        with Show(terminal=True) as show:
            show.happen(*START, Finished(0))
        screens.append(show.screen.getvalue())

    thread = threading.Thread(target=in_background)
    thread.start()
    thread.join()
    assert ("\x1b[?25l" in screens[0]) is not at_a_prompt


def test_where_the_experiment_fails_the_counts_stay(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    show = Show(terminal=True).__enter__()
    show.happen(*START, Finished(0, metric=0.5))
    show.__exit__(RuntimeError, RuntimeError("the driver broke"), None)
    assert "1 of 9 trials" in show.screen.getvalue().rpartition("\x1b[2K")[2]


def test_what_the_program_prints_into_a_file_stays_there(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stdout(Screen()) as file, Show(terminal=True) as show:
        print("a result")
    assert file.getvalue() == "a result\n" and "a result" not in show.screen.getvalue()


# --- its thread


def test_its_thread_ends_with_it():
    before = set(threading.enumerate())
    with Show():
        assert set(threading.enumerate()) != before
    assert set(threading.enumerate()) == before


def test_a_view_that_breaks_is_said_once_and_costs_nothing_more(monkeypatch):
    class Shapeless:
        @property
        def line(self):
            raise ValueError("no shape")

    monkeypatch.setattr(lines_module, "_LEAST_S", 0.001)
    with Show(others=[Shapeless()]) as show:
        show.screen.wait_for("the progress cannot be shown any more: ValueError: no shape\n")
        show.happen(*START, Finished(0))
    assert show.screen.getvalue().count("cannot be shown any more") == 1
    assert not show.feed


@pytest.mark.parametrize("later", [True, False])
def test_a_stream_that_is_closed_costs_a_running_experiment_nothing(tmp_path, later):
    feed: deque[Record] = deque()
    with (tmp_path / "err").open("w") as stream, redirect_stderr(stream):
        progress = Progress(Scene(about(9)), feed, later=later)
        with progress:
            stream.close()
            feed.extend(records(*START))
            progress.say("paused")
    assert not feed
