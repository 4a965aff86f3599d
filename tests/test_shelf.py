"""The experiments that lie in a folder, and how each one stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from maggy import lagom
from maggy.chronicle import About, Tally
from maggy.config import BaseConfig
from maggy.errors import ExperimentDirError
from maggy.journal import ExperimentFolder, read
from maggy.shelf import experiments_in, state_of


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(url):
    lagom(lambda: 1.0, BaseConfig(experiment_dir=url), engine="inline", verbose=0)


def state(url):
    folder = ExperimentFolder.open(url)
    tally = Tally("max", About.read(folder).num_trials)
    for record in read(folder):
        tally.add(record)
    return state_of(folder, tally)


def test_experiments_are_found_in_the_order_of_their_numbers_and_not_within_each_other():
    for number in (10, 2, 1):
        run(f"runs/{number}")
    Path("runs/2/data").mkdir()
    Path("runs/2/data/experiment.json").touch()
    Path("runs/notes.txt").touch()
    assert list(experiments_in("runs")) == ["runs/1", "runs/2", "runs/10"]
    assert list(experiments_in("runs/")) == ["runs/1", "runs/2", "runs/10"]
    assert list(experiments_in(Path("runs/2").absolute())) == [str(Path("runs/2").absolute())]
    with pytest.raises(ExperimentDirError, match="there is no folder 'nowhere'"):
        list(experiments_in("nowhere"))
    with pytest.raises(ExperimentDirError, match="cannot be read"):
        list(experiments_in("nosuch://bucket"))


def test_a_driver_that_left_no_word_has_crashed_or_may_work_on_elsewhere():
    run("run")
    assert state("run") == "complete"
    (segment,) = Path("run/journal").glob("*.jsonl")
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:2]))
    assert state("run") == "crashed"

    run("memory://shelf/1")
    assert state("memory://shelf/1") == "complete"
    folder = ExperimentFolder.open("memory://shelf/1")
    name = next(name for name in folder.place.sizes("journal") if name.endswith(".jsonl"))
    folder.place.put(name, b"".join(folder.read(name).splitlines(keepends=True)[:2]))
    assert state("memory://shelf/1") == "unfinished"
