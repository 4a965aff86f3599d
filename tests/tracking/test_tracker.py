"""Whoever wants to see what happens in an experiment."""

from __future__ import annotations

import io
import re
import threading
from contextlib import redirect_stderr

import pytest

from maggy import Searchspace, lagom
from maggy.brain import events as ev
from maggy.config import HyperparameterOptConfig
from maggy.journal import ExperimentFolder, read
from maggy.tracking.tracker import Tracker


class Notes(Tracker):
    def __init__(self, fails_at: type | None = None) -> None:
        self.events: list[ev.Event] = []
        self.threads: set[int] = set()
        self.ended = 0
        self._fails_at = fails_at

    def see(self, record) -> None:
        self.threads.add(threading.get_ident())
        if type(record.event) is self._fails_at:
            raise ValueError("cannot draw that")
        self.events.append(record.event)

    def end(self) -> None:
        self.ended += 1


def experiment(tmp_path, track, train=lambda x: x, **keywords):
    config = HyperparameterOptConfig(
        4, "randomsearch", Searchspace(x=("DOUBLE", [0, 1])), experiment_dir=tmp_path / "experiment", seed=1
    )
    return lagom(train, config, engine="inline", track=track, **keywords)


def test_it_sees_every_record_in_order_in_a_thread_of_its_own(tmp_path):
    first, second = Notes(), Notes()
    result = experiment(tmp_path, [first, second], verbose=0)
    written = [record.event for record in read(ExperimentFolder(result.experiment_dir))]
    assert first.events == second.events == written
    assert threading.get_ident() not in first.threads | second.threads
    assert (first.ended, second.ended) == (1, 1)


def test_one_that_fails_is_said_once_and_the_experiment_goes_on(tmp_path, capsys):
    notes = Notes(fails_at=ev.TrialFinished)
    assert len(experiment(tmp_path, notes).trials) == 4
    assert capsys.readouterr().err.count("Notes failed and tracks nothing from here on: ValueError") == 1
    assert notes.ended == 1
    assert not any(isinstance(event, ev.TrialFinished) for event in notes.events)


def test_one_that_cannot_show_itself_is_said_once(tmp_path, capsys):
    class Shapeless(Notes):
        def view(self):
            raise ValueError("no shape")

    notes = Shapeless()
    experiment(tmp_path, notes)
    assert capsys.readouterr().err.count("Shapeless failed") == 1
    assert notes.ended == 1


def test_it_is_told_of_the_end_where_the_experiment_fails(tmp_path):
    def train(x):
        raise ValueError("never")

    notes = Notes()
    with pytest.raises(Exception, match="never"):
        experiment(tmp_path, notes, train, verbose=0)
    assert notes.ended == 1


def test_of_an_experiment_that_is_resumed_it_sees_the_past_first(tmp_path):
    experiment(tmp_path, None, verbose=0)
    notes = Notes()
    again = lagom(lambda x: x, engine="inline", resume=tmp_path / "experiment", force=True, track=notes, verbose=0)
    assert notes.events == [record.event for record in read(ExperimentFolder(again.experiment_dir))]
    assert sum(isinstance(event, ev.TrialFinished) for event in notes.events) == 4


class Counting(Notes):
    """Shows how many trials have ended, and perhaps breaks then."""

    def view(self):
        return f"[bold]{self._count()}[/bold] in a terminal"

    def line(self):
        return f"{self._count()} in a line"

    def _count(self):
        return sum(isinstance(event, ev.TrialFinished) for event in self.events)


@pytest.mark.parametrize("fails_at", [None, ev.Exhausted])
def test_what_it_shows_stands_above_the_progress_until_the_end(tmp_path, capsys, fails_at):
    experiment(tmp_path, [Counting(fails_at), Notes()])
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if line.endswith("in a line")]
    assert lines[-1] == "4 in a line" and len(lines) == len(set(lines))
    assert said.index(lines[-1]) < max(number for number, line in enumerate(said) if "4 of 4 trials" in line)


def test_in_a_terminal_it_is_part_of_the_live_view(tmp_path, monkeypatch):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Screen()) as screen:
        experiment(tmp_path, Counting())
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "\n")
    assert shown.index("4 in a terminal") < shown.rindex("4 of 4 trials")
    assert "in a line" not in shown
