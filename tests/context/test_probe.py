"""A worker looks at its start whether it sees the experiment's folder."""

from __future__ import annotations

import json
import socket
import threading
import uuid

import fsspec
import pytest

from maggy.context import Probe
from maggy.context.data import Files, lies_in
from maggy.errors import ExperimentDirError


@pytest.fixture(params=["path", "memory"])
def folder(request, tmp_path):
    """The URL of a folder that holds the experiment "this"."""
    url = str(tmp_path) if request.param == "path" else f"memory://{uuid.uuid4().hex}"
    with fsspec.open(f"{url}/experiment.json", "wb") as file:
        file.write(json.dumps({"id": "this", "config": {}}).encode())
    return url


def test_a_folder_that_is_seen_passes(folder):
    Probe(folder, "this").check()


def test_another_experiment_in_the_same_place_is_not_the_shared_folder(folder):
    with pytest.raises(ExperimentDirError, match="another experiment lies there"):
        Probe(folder, "that").check()


@pytest.mark.parametrize("url", ["/no/such/folder", "memory://nowhere", "s4://bucket/run", ""])
def test_a_folder_that_is_not_seen_names_host_and_folder_and_asks_for_a_shared_one(url):
    with pytest.raises(ExperimentDirError) as caught:
        Probe(url, "this").check()
    assert str(caught.value).startswith(
        f"the worker on {socket.gethostname()} cannot see the experiment's folder {url} ("
    )
    assert "Set experiment_dir to a place that every worker reaches" in str(caught.value)


def test_a_file_that_is_no_experiment_is_not_seen_either(tmp_path):
    for nonsense in ("", "[1]", '{"config": {}}'):
        (tmp_path / "experiment.json").write_text(nonsense)
        with pytest.raises(ExperimentDirError):
            Probe(str(tmp_path), "this").check()


def test_what_was_not_seen_at_the_start_is_looked_for_once_more_when_it_is_needed(tmp_path):
    probe = Probe(str(tmp_path), "this")
    (tmp_path / "experiment.json").write_text('{"id": "this"}')
    probe.check()


def test_a_store_that_takes_its_time_keeps_no_worker_from_starting(monkeypatch):
    answer, asked = threading.Event(), threading.Event()

    def slow(url):
        asked.set()
        answer.wait(30)
        raise TimeoutError("no answer")

    monkeypatch.setattr("maggy.context.probe.store_at", slow)
    probe = Probe("slow://run", "this")
    assert asked.wait(30)
    answer.set()
    with pytest.raises(ExperimentDirError, match="no answer"):
        probe.check()


def test_data_lies_in_the_folder_or_it_does_not():
    table = Files("/runs/1/data/train_set")
    assert lies_in("/runs/1", table)
    assert lies_in("/runs/1", [3, [table]])
    assert not lies_in("/runs/11", table)
    assert not lies_in("/runs/1", "/runs/1/data")
