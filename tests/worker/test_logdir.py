"""The folder for a trial's own events, where it has to be brought somewhere else."""

from __future__ import annotations

from pathlib import Path

import fsspec

from maggy.context.probe import Probe
from maggy.worker.logdir import LogDir


class Second:
    rank, size = 1, 2


def experiment_at(url):
    with fsspec.open(f"{url}/experiment.json", "wb") as file:
        file.write(b'{"id": "known"}')
    return Probe(url, "known")


def test_on_an_object_store_what_was_written_is_copied_when_the_trial_ends():
    probe = experiment_at("memory://logdir")
    logdir = LogDir(probe, trial=3)
    folder = Path(logdir.path())
    (folder / "train").mkdir()
    (folder / "train" / "events").write_bytes(b"points")
    logdir.end()
    assert fsspec.filesystem("memory").cat_file("/logdir/trials/3/tensorboard/train/events") == b"points"
    assert not folder.exists()


def test_nothing_is_made_for_a_trial_that_does_not_ask():
    probe = experiment_at("memory://unasked")
    LogDir(probe, trial=0).end()
    assert fsspec.filesystem("memory").find("/unasked") == ["/unasked/experiment.json"]


def test_each_rank_of_a_gang_has_a_folder_of_its_own(tmp_path):
    (tmp_path / "experiment.json").write_text('{"id": "known"}')
    probe = Probe(str(tmp_path), "known")
    assert LogDir(probe, trial=0, gang=Second()).path() == str(tmp_path / "trials" / "0" / "tensorboard" / "rank-1")
