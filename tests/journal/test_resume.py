"""An experiment that goes on: one driver at a time, and nothing that was written is lost or doubled."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal.helpers import add, asks, begin, driver, write_until_refused

from maggy.errors import ExperimentDirError, FencedError, JournalError
from maggy.journal import ExperimentFolder, JournalWriter, read
from maggy.journal.epochs import Claim

FIRST, SECOND = "journal/00000000-00000000.jsonl", "journal/00000001-00000000.jsonl"


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory) -> Path:
    """An experiment of two drivers, five records each. To be copied."""
    path = tmp_path_factory.mktemp("two-epochs") / "run"
    folder = begin(path)
    add(folder, 5)
    folder.close()
    folder = ExperimentFolder.resume(path)
    add(folder, 5)
    folder.close()
    return path


# --- going on


def test_each_driver_has_an_epoch_and_records_are_counted_over_all(tmp_path):
    folder = begin(tmp_path / "run")
    assert (folder.epoch, folder.records) == (0, 0)
    add(folder, 3)
    folder.close()
    for epoch in (1, 2):
        resumed = ExperimentFolder.resume(tmp_path / "run")
        assert (resumed.epoch, resumed.records, resumed.id) == (epoch, 3 * epoch, folder.id)
        add(resumed, 3)
        resumed.close()
    view = ExperimentFolder.open(tmp_path / "run")
    assert [record.n for record in read(view)] == asks(view) == list(range(9))
    assert (view.epoch, view.id) == (2, folder.id)
    names = sorted(path.name for path in (tmp_path / "run" / "journal").iterdir())
    assert names == [f"{epoch:08}{end}" for epoch in range(3) for end in ("-00000000.jsonl", ".claim")]


def test_a_driver_that_wrote_nothing_leaves_an_empty_epoch(tmp_path):
    begin(tmp_path / "run").close()
    ExperimentFolder.resume(tmp_path / "run").close()
    folder = ExperimentFolder.resume(tmp_path / "run")
    assert (folder.epoch, folder.records) == (2, 0)
    add(folder, 2)
    folder.close()
    assert asks(ExperimentFolder.open(tmp_path / "run")) == [0, 1]


def test_a_journal_is_read_while_it_is_written(tmp_path):
    folder = begin(tmp_path / "run")
    writer = JournalWriter(folder)
    try:
        assert asks(ExperimentFolder.open(tmp_path / "run")) == []
    finally:
        writer.close()
        folder.close()


def test_a_resumed_experiment_is_never_discarded(two_epochs, tmp_path):
    shutil.copytree(two_epochs, tmp_path / "run")
    ExperimentFolder.resume(tmp_path / "run").discard()
    assert asks(ExperimentFolder.open(tmp_path / "run")) == list(range(10))
    ExperimentFolder.resume(tmp_path / "run").close()


@given(st.data())
def test_wherever_the_last_epoch_was_cut_its_whole_records_stay_and_new_ones_follow(two_epochs, data):
    whole = (two_epochs / SECOND).read_bytes()
    cut = data.draw(st.integers(0, len(whole)), label="cut")
    with tempfile.TemporaryDirectory() as parent:
        path = Path(parent) / "run"
        shutil.copytree(two_epochs, path)
        os.truncate(path / SECOND, cut)
        left = list(range(5 + whole[:cut].count(b"\n")))
        assert asks(ExperimentFolder.open(path)) == left
        assert (path / SECOND).stat().st_size == cut  # looking changes nothing

        folder = ExperimentFolder.resume(path)
        assert folder.records == len(left)
        add(folder, 2)
        folder.close()
        assert asks(ExperimentFolder.open(path)) == [*left, len(left), len(left) + 1]
        assert (path / SECOND).read_bytes() == whole[: whole[:cut].rfind(b"\n") + 1]


# --- damage


@given(st.data())
def test_a_flipped_bit_anywhere_in_the_journal_is_an_error(two_epochs, data):
    names = sorted(path.relative_to(two_epochs).as_posix() for path in (two_epochs / "journal").iterdir())
    name = data.draw(st.sampled_from(names))
    damaged = bytearray((two_epochs / name).read_bytes())
    end = len(damaged) - (name == SECOND)  # without its line feed the last record looks cut short
    place = data.draw(st.integers(0, end - 1), label="place")
    damaged[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    with tempfile.TemporaryDirectory() as parent:
        path = Path(parent) / "run"
        shutil.copytree(two_epochs, path)
        (path / name).write_bytes(damaged)
        with pytest.raises(JournalError) as caught:
            asks(ExperimentFolder.open(path))
        if name.endswith(".claim"):
            assert f"{name} is damaged" in str(caught.value)
        else:
            number = (two_epochs / name).read_bytes()[:place].count(b"\n") + (5 if name == SECOND else 0)
            assert caught.value.record == number
            assert f"journal record {number} is " in str(caught.value)
        with pytest.raises(JournalError, match=re.escape(str(caught.value))):
            ExperimentFolder.resume(path)
        assert not (path / "journal" / "00000002.claim").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (FIRST, "journal record 0 is missing: epoch 0 ends before it"),
        ("journal/00000000.claim", "journal/00000000.claim is missing, and there are later records"),
        ("journal/00000001.claim", "journal/00000001.claim is missing, and there are later records"),
    ],
)
def test_a_file_that_is_missing_is_an_error(two_epochs, tmp_path, name, says):
    shutil.copytree(two_epochs, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(JournalError, match=re.escape(says)):
        asks(ExperimentFolder.open(tmp_path / "run"))
    with pytest.raises(JournalError, match=re.escape(says)):
        ExperimentFolder.resume(tmp_path / "run")


def test_a_claim_of_another_epoch_is_an_error(two_epochs, tmp_path):
    shutil.copytree(two_epochs, tmp_path / "run")
    shutil.copy(two_epochs / "journal/00000000.claim", tmp_path / "run/journal/00000001.claim")
    with pytest.raises(JournalError, match=r"00000001\.claim is damaged: it belongs to another epoch"):
        asks(ExperimentFolder.open(tmp_path / "run"))


# --- no experiment


@pytest.mark.parametrize("way", [ExperimentFolder.open, ExperimentFolder.resume])
def test_what_is_no_experiment_is_neither_opened_nor_resumed(way, tmp_path):
    with pytest.raises(ExperimentDirError, match=r"^there is no folder '.*/nowhere'$"):
        way(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("three years of work")
    with pytest.raises(ExperimentDirError, match=r"^'.*/thesis' holds no experiment$"):
        way(tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]
    with pytest.raises(ExperimentDirError, match=r"thesis\.tex' cannot be read: .*Not a directory"):
        way(tmp_path / "thesis" / "thesis.tex")


def test_an_experiment_whose_driver_died_before_it_said_what_it_is_cannot_be_resumed(tmp_path):
    ExperimentFolder.create(tmp_path / "run", "MNIST").close()
    with pytest.raises(ExperimentDirError, match="holds an experiment that never started: remove it"):
        ExperimentFolder.resume(tmp_path / "run")


# --- two drivers


def test_a_second_driver_is_refused_while_the_first_lives_and_goes_on_after_it_was_killed(tmp_path):
    run = tmp_path / "run"
    with driver(run, "create", 3) as first:
        who = rf"still running \(pid {first.pid} on host {re.escape(socket.gethostname())} since 20.*\): stop it first"
        with pytest.raises(ExperimentDirError, match=who):
            ExperimentFolder.resume(run)
        with pytest.raises(ExperimentDirError, match="already holds an experiment"):
            ExperimentFolder.create(run, "MNIST")
        assert asks(ExperimentFolder.open(run)) == [0, 1, 2]
        first.send_signal(signal.SIGKILL)
        first.wait()
        with driver(run, "resume", 2) as second:
            with pytest.raises(ExperimentDirError, match=f"pid {second.pid} "):
                ExperimentFolder.resume(run)
            second.send_signal(signal.SIGKILL)
            second.wait()
    folder = ExperimentFolder.resume(run)
    assert (folder.epoch, folder.records) == (2, 5)
    folder.close()


def test_a_folder_whose_resume_failed_or_that_was_closed_is_free_again(two_epochs, tmp_path):
    shutil.copytree(two_epochs, tmp_path / "run")
    damage = (tmp_path / "run" / FIRST).read_bytes()
    (tmp_path / "run" / FIRST).write_bytes(b"rubbish\n" + damage)
    with pytest.raises(JournalError, match="journal record 0 is damaged"):
        ExperimentFolder.resume(tmp_path / "run")
    (tmp_path / "run" / FIRST).write_bytes(damage)
    for epoch in (2, 3):
        folder = ExperimentFolder.resume(tmp_path / "run")
        assert folder.epoch == epoch
        folder.close()


def test_a_forked_child_that_outlives_its_driver_holds_nothing_up(tmp_path):
    script = f"""
import os, sys
from maggy.journal import ExperimentFolder
folder = ExperimentFolder.create({str(tmp_path / "run")!r}, "MNIST")
folder.write("experiment.json", b"{{}}")
if os.fork() == 0:
    print(os.getpid(), flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        with pytest.raises(ExperimentDirError, match=f"pid {process.pid} "):
            ExperimentFolder.resume(tmp_path / "run")
        process.kill()
        process.wait()
        ExperimentFolder.resume(tmp_path / "run").close()
        os.kill(child, 0)  # it is still there


def test_on_a_file_system_without_locks_the_next_claim_stops_the_driver(tmp_path):
    folder = begin(tmp_path / "run")
    writer = JournalWriter(folder)
    successor = Claim.make(1, 0, folder.id)
    assert folder.place.put_new(successor.name, successor.to_bytes())
    with pytest.raises(FencedError, match=rf"another driver has taken over this experiment \(pid {os.getpid()} on"):
        write_until_refused(writer)
    with pytest.raises(FencedError):
        writer.close()


def test_of_two_claims_of_one_epoch_the_first_stays(tmp_path):
    folder = begin(tmp_path / "run")
    assert folder.place.put_new("journal/00000001.claim", b"first")
    assert not folder.place.put_new("journal/00000001.claim", b"second")
    assert folder.read("journal/00000001.claim") == b"first"
    assert [path.name for path in (tmp_path / "run" / "journal").iterdir() if path.name.startswith(".")] == []
