"""Reading along while a journal is written."""

from __future__ import annotations

import shutil

import pytest
from journal.helpers import add, begin

from maggy.brain.events import Idled
from maggy.errors import JournalError
from maggy.journal import ExperimentFolder, Follower, JournalWriter, Voided
from maggy.journal.epochs import segment_name


def asks(records) -> list[int]:
    return [record.event.ask for record in records]


def test_each_look_gives_what_is_new(tmp_path):
    folder = begin(tmp_path / "run")
    follower = Follower(ExperimentFolder.open(tmp_path / "run"))
    assert follower.new() == []
    writer = JournalWriter(folder)
    for n in range(3):
        writer.append(Idled(ask=n), 0.0)
    writer.flush()
    assert asks(follower.new()) == [0, 1, 2]
    assert follower.new() == []
    writer.append(Idled(ask=3), 0.0)
    writer.close()
    assert asks(follower.new()) == [3]
    assert follower.count == 4


def test_no_more_than_asked_for_at_once(tmp_path):
    folder = begin(tmp_path / "run")
    add(folder, 5)
    follower = Follower(folder)
    assert [asks(follower.new(limit=2)) for _ in range(4)] == [[0, 1], [2, 3], [4], []]


def test_a_record_that_is_written_by_half_is_given_when_it_is_whole(tmp_path):
    folder = begin(tmp_path / "run")
    add(folder, 2)
    path = folder.local / segment_name(0, 0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    follower = Follower(folder)
    assert asks(follower.new()) == [0]
    path.write_bytes(whole)
    assert asks(follower.new()) == [1]


def test_it_goes_on_with_the_driver_that_takes_over(tmp_path):
    folder = begin(tmp_path / "run")
    follower = Follower(ExperimentFolder.open(tmp_path / "run"))
    add(folder, 2)
    assert asks(follower.new()) == [0, 1]
    folder.close()
    second = ExperimentFolder.resume(tmp_path / "run")
    assert follower.new() == []
    add(second, 2)
    assert asks(follower.new()) == [2, 3]


def test_what_a_driver_wrote_after_it_was_replaced_is_void(tmp_path):
    folder = begin(tmp_path / "run")
    add(folder, 2)
    folder.close()
    second = ExperimentFolder.resume(tmp_path / "run")
    add(second, 1)
    follower = Follower(folder)
    assert asks(follower.new()) == [0, 1, 2]
    second.close()
    third = ExperimentFolder.resume(tmp_path / "run")
    claim = folder.local / "journal/00000002.claim"  # as if the second driver had written its record too late
    from maggy.journal.epochs import Claim

    claim.write_bytes(Claim.make(2, 2, third.id).to_bytes())
    (folder.local / segment_name(2, 0)).write_bytes(b"")
    with pytest.raises(Voided):
        follower.new()
    assert asks(follower.new()) == [0, 1]


def test_damage_is_an_error_that_names_the_record(tmp_path):
    folder = begin(tmp_path / "run")
    add(folder, 3)
    path = folder.local / segment_name(0, 0)
    follower = Follower(folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"x" + lines[1][1:] + lines[2])
    with pytest.raises(JournalError, match="record 1 is damaged"):
        follower.new()


def test_a_journal_on_a_store_is_followed_from_segment_to_segment():
    import fsspec

    fs = fsspec.filesystem("memory")
    url = "memory://follower/run"
    folder = ExperimentFolder.create(url, "MNIST")
    folder.write("experiment.json", b"{}")
    follower = Follower(ExperimentFolder.open(url))
    writer = JournalWriter(folder)
    writer.append(Idled(ask=0), 0.0)
    writer.flush()
    folder.upload()
    assert asks(follower.new()) == [0]
    writer.append(Idled(ask=1), 0.0)
    writer.append(Idled(ask=2), 0.0)
    writer.flush()
    folder.upload()
    assert asks(follower.new()) == [1, 2]
    writer.close()
    folder.close()
    fs.rm("/follower", recursive=True)


def test_another_experiment_in_the_place_of_one_that_was_removed_is_read_from_its_beginning(tmp_path):
    folder = begin(tmp_path / "run")
    follower = Follower(ExperimentFolder.open(tmp_path / "run"))
    add(folder, 3)
    folder.close()
    assert asks(follower.new()) == [0, 1, 2]
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(Voided):
        follower.new()
    assert follower.new() == []
    folder = begin(tmp_path / "run")
    add(folder, 2)
    assert asks(follower.new()) == [0, 1]
    folder.close()

    shutil.rmtree(tmp_path / "run")
    folder = begin(tmp_path / "run")
    add(folder, 5)
    folder.close()
    with pytest.raises(Voided):
        follower.new()
    assert asks(follower.new()) == [0, 1, 2, 3, 4]
