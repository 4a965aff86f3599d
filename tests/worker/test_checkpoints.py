"""What a training function can save and load, in a worker and by hand."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from maggy import Reporter
from maggy.context import Probe
from maggy.errors import (
    BroadcastStepTypeError,
    BroadcastStepValueError,
    CheckpointError,
    EarlyStopException,
    ExperimentDirError,
)
from maggy.wire.messages import CheckpointSaved, Metrics
from maggy.worker.checkpoints import Checkpoints


@pytest.fixture
def probe(tmp_path):
    """An experiment's folder that is seen here."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "experiment.json").write_text(json.dumps({"id": "e"}))
    return Probe(str(tmp_path / "run"), "e")


@pytest.fixture
def attempt(probe):
    """Makes the reporter of an attempt of trial 3; what it sends is in `sent`."""

    def make(number=0, url=None):
        sent = SimpleQueue()
        checkpoints = Checkpoints(probe, trial=3, attempt=number, url=url)
        reporter = Reporter(sent.put, trial=3, attempt=number, checkpoints=checkpoints)
        reporter.sent = sent
        return reporter

    return make


def test_the_driver_is_told_where_when_how_large_and_how_long_after_the_points_before(attempt, probe):
    reporter = attempt()
    reporter.broadcast(0.5, step=7)
    reporter.save_checkpoint({"w": 1})
    assert reporter.sent.get() == Metrics(3, 0, [7], [0.5])
    saved = reporter.sent.get()
    assert isinstance(saved, CheckpointSaved)
    assert (saved.trial, saved.attempt, saved.number, saved.step) == (3, 0, 0, 7)
    assert saved.size_bytes == Path(probe.folder, "trials/3/checkpoints/0-0/state.pickle").stat().st_size
    assert saved.seconds > 0
    assert reporter.checkpoint == saved


def test_the_next_attempt_loads_what_it_was_handed_and_then_its_own(attempt, probe):
    first = attempt()
    for epoch in range(3):
        first.save_checkpoint({"epoch": epoch}, step=epoch)
    second = attempt(1, url=f"{probe.folder}/trials/3/checkpoints/0-1")
    assert second.load_checkpoint() == {"epoch": 1}
    second.save_checkpoint({"epoch": 9})
    assert second.load_checkpoint() == {"epoch": 9}
    assert (second.checkpoint.attempt, second.checkpoint.number) == (1, 0)


def test_the_first_attempt_has_nothing_to_load(attempt):
    assert attempt().load_checkpoint() is None


def test_steps_that_are_not_given_go_on_where_the_checkpoint_was_saved(attempt, probe):
    first = attempt()
    first.save_checkpoint(b"nothing yet")
    assert first.checkpoint.step is None
    for _ in range(5):
        first.broadcast(0.5)
    first.save_checkpoint({})
    second = attempt(1, url=f"{probe.folder}/trials/3/checkpoints/0-1")
    second.load_checkpoint()
    second.save_checkpoint({})
    assert second.checkpoint.step == 4
    second.broadcast(0.25)
    second.flush()
    assert [second.sent.get(), second.sent.get()] == [second.checkpoint, Metrics(3, 1, [5], [0.25])]

    third = attempt(2, url=f"{probe.folder}/trials/3/checkpoints/0-1")
    third.load_checkpoint()
    third.broadcast(0.5, step=0)  # whoever names steps may begin anew
    third.flush()
    assert third.sent.get() == Metrics(3, 2, [0], [0.5])


def test_a_step_has_to_be_one_as_for_broadcast_and_nothing_is_written_otherwise(attempt, probe):
    reporter = attempt()
    with pytest.raises(BroadcastStepTypeError, match=r"save_checkpoint was given step float '1\.5'"):
        reporter.save_checkpoint({}, step=1.5)
    with pytest.raises(BroadcastStepValueError, match="save_checkpoint was given step -1: steps count upwards from 0"):
        reporter.save_checkpoint({}, step=-1)
    assert not Path(probe.folder, "trials").exists()
    reporter.save_checkpoint({}, step=np.int64(2))
    assert type(reporter.checkpoint.step) is int


def test_a_directory_comes_as_a_copy_that_is_gone_after_the_trial(attempt, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("1")
    reporter = attempt()
    reporter.save_checkpoint(tmp_path / "model")
    copy = reporter.load_checkpoint()
    (copy / "weights").write_text("2")
    reporter.save_checkpoint(copy)
    assert (reporter.load_checkpoint() / "weights").read_text() == "2"
    assert len(list(tmp_path.glob("maggy-checkpoint-*"))) == 2
    reporter.end()
    assert list(tmp_path.glob("maggy-checkpoint-*")) == []


def test_a_stop_while_saving_is_seen_at_the_next_broadcast(attempt):
    reporter = attempt()
    reporter.broadcast(0.5)

    class Stops:
        def __reduce__(self):
            reporter.stop(3, 0)
            return dict, ()

    reporter.save_checkpoint(Stops())
    assert reporter.checkpoint is not None
    with pytest.raises(EarlyStopException):
        reporter.broadcast(0.5)


def test_a_failure_is_told_to_nobody_and_keeps_the_one_before(attempt):
    reporter = attempt()
    reporter.save_checkpoint({"epoch": 0})
    before = reporter.checkpoint
    with pytest.raises(CheckpointError):
        reporter.save_checkpoint(n for n in range(3))
    assert reporter.checkpoint == before
    assert reporter.sent.get() == before and reporter.sent.empty()
    assert reporter.load_checkpoint() == {"epoch": 0}


def test_after_the_end_of_its_trial_nothing_is_saved(attempt):
    reporter = attempt()
    reporter.end()
    with pytest.raises(CheckpointError, match="after the end of its trial"):
        reporter.save_checkpoint({})
    assert reporter.sent.empty()


def test_a_folder_that_is_not_shared_is_an_error_at_the_call_unless_there_is_nothing_to_load(tmp_path):
    there = Checkpoints(Probe(str(tmp_path), "e"), trial=3, attempt=1, url=str(tmp_path / "trials/3/checkpoints/0-0"))
    reporter = Reporter(lambda message: None, trial=3, checkpoints=there)
    for call in (reporter.load_checkpoint, lambda: reporter.save_checkpoint({})):
        with pytest.raises(ExperimentDirError, match="cannot see the experiment's folder"):
            call()
    assert list(tmp_path.iterdir()) == []
    fresh = Reporter(lambda message: None, trial=3, checkpoints=Checkpoints(Probe(str(tmp_path), "e")))
    assert fresh.load_checkpoint() is None


def test_by_hand_the_last_checkpoint_is_in_a_temporary_folder_as_long_as_the_reporter_lives(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reporter = Reporter()
    assert reporter.load_checkpoint() is None
    assert list(tmp_path.iterdir()) == []
    for epoch in range(3):
        reporter.save_checkpoint({"epoch": epoch}, step=epoch)
    assert reporter.load_checkpoint() == {"epoch": 2}
    assert [path.name for path in tmp_path.glob("maggy-*/trials/*/checkpoints/*")] == ["0-2"]
    del reporter
    gc.collect()
    assert list(tmp_path.iterdir()) == []
