"""Whoever wants to see what happens in an experiment."""

from __future__ import annotations

import threading

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


def test_it_is_told_of_the_end_where_the_experiment_fails(tmp_path):
    def train(x):
        raise ValueError("never")

    notes = Notes()
    with pytest.raises(Exception, match="never"):
        experiment(tmp_path, notes, train, verbose=0)
    assert notes.ended == 1
