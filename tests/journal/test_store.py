"""Experiments on stores that know no append: in memory, and S3 over HTTP."""

from __future__ import annotations

import errno
import signal
import stat
from collections.abc import Iterator

import fsspec
import pytest
from journal.helpers import add, asks, begin, driver

from maggy.brain.events import Idled
from maggy.errors import ExperimentDirError, FencedError, JournalError
from maggy.journal import ExperimentFolder, JournalWriter


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://bucket"
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").pseudo_dirs[:] = [""]


@pytest.fixture(params=["memory", "s3"])
def store(request) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def host(tmp_path, monkeypatch):
    """Moves the test to another machine: one with another cache."""

    def move(name: str) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))

    move("first")
    return move


def crash(folder: ExperimentFolder) -> None:
    """What the death of its driver leaves."""
    folder._release()


def names(url: str) -> list[str]:
    """The files of a journal on a store."""
    fs, root = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    return sorted(path.rpartition("/")[2] for path in fs.find(f"{root}/journal"))


# --- one driver


def test_a_journal_grows_by_segments_that_never_change(store):
    folder = begin(f"{store}/run")
    writer = JournalWriter(folder)

    def segments() -> list[int]:
        return [segment.count(b"\n") for segment in folder.segments()]

    writer.append(Idled(ask=0), 0.0)
    writer.append(Idled(ask=1), 0.0)
    writer.flush()
    folder.upload()
    folder.upload()
    assert segments() == [2]
    writer.append(Idled(ask=2), 0.0)
    writer.close()
    folder.close()
    assert segments() == [2, 1]
    assert names(f"{store}/run") == ["00000000-00000000.jsonl", "00000000-00000001.jsonl", "00000000.claim"]
    assert asks(ExperimentFolder.open(f"{store}/run")) == [0, 1, 2]


def test_a_segment_ends_with_a_whole_record(store):
    folder = begin(f"{store}/run")
    journal = folder.local / "journal" / "00000000-00000000.jsonl"
    for end in (_line(0)[:10], _line(0) + _line(1)[:10], _line(0) + _line(1)):
        journal.write_bytes(end)  # as far as the writer has come
        folder.upload()
    assert list(folder.segments()) == [_line(0), _line(1)]
    folder.close()


def test_what_is_on_the_store_in_full_is_not_kept_here(store):
    folder = begin(f"{store}/run")
    assert stat.S_IMODE(folder.local.stat().st_mode) == stat.S_IMODE(folder.local.parent.stat().st_mode) == 0o700
    add(folder, 3)
    folder.close()
    assert list(folder.local.parent.iterdir()) == []
    assert folder.read("experiment.json") == b'{"name": "MNIST"}'


def test_a_store_has_one_experiment_at_a_place(store, host):
    first = begin(f"{store}/run")
    with pytest.raises(ExperimentDirError, match="already holds an experiment"):
        ExperimentFolder.create(f"{store}/run", "MNIST")
    host("second")
    with pytest.raises(ExperimentDirError, match="already holds an experiment"):
        ExperimentFolder.create(f"{store}/run", "MNIST")
    first.discard()
    begin(f"{store}/run").discard()
    assert names(f"{store}/run") == []


def test_of_two_claims_of_one_epoch_the_first_stays(store):
    place = begin(f"{store}/run").place
    assert place.put_new("journal/00000001.claim", b"first")
    assert not place.put_new("journal/00000001.claim", b"second")
    assert place.read("journal/00000001.claim") == b"first"
    assert place.put_new("journal/00000001.claim", b"first")  # the answer to the first try was lost on its way


@pytest.mark.parametrize("answer", [TypeError("unexpected keyword 'mode'"), OSError(errno.ENOSYS, "not implemented")])
def test_a_store_that_knows_no_condition_is_looked_at_and_then_written(memory, monkeypatch, answer):
    from fsspec.implementations.memory import MemoryFileSystem

    write = MemoryFileSystem.pipe_file

    def without_condition(self, path, value, **options):
        if options:
            raise answer
        write(self, path, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", without_condition)
    place = begin(f"{memory}/run").place
    assert place.put_new("journal/00000001.claim", b"first")
    assert not place.put_new("journal/00000001.claim", b"second")


def test_what_is_no_experiment_is_neither_opened_nor_resumed(store):
    fsspec.open(f"{store}/data/numbers.csv", "wb").open().close()
    for way in (ExperimentFolder.open, ExperimentFolder.resume):
        with pytest.raises(ExperimentDirError, match=r"there is no folder '.*/nowhere'"):
            way(f"{store}/nowhere")
        with pytest.raises(ExperimentDirError, match=r"'.*/data' holds no experiment"):
            way(f"{store}/data")


# --- the next driver


def test_a_resume_on_the_same_host_has_what_the_store_lacked(store):
    folder = begin(f"{store}/run")
    add(folder, 3)
    folder.upload()
    crash(folder)
    with (folder.local / "journal" / "00000000-00000000.jsonl").open("ab") as journal:
        journal.write(_line(3) + _line(4) + _line(5)[:20])
    assert asks(ExperimentFolder.open(f"{store}/run")) == [0, 1, 2]

    folder = ExperimentFolder.resume(f"{store}/run")
    assert (folder.epoch, folder.records) == (1, 5)
    assert asks(ExperimentFolder.open(f"{store}/run")) == [0, 1, 2, 3, 4]
    add(folder, 2)
    folder.close()
    assert asks(ExperimentFolder.open(f"{store}/run")) == list(range(7))


def test_a_resume_on_another_host_goes_on_from_what_the_store_has(store, host):
    folder = begin(f"{store}/run")
    add(folder, 3)
    folder.write("trials/0/output.log", b"epoch 1\n")
    folder.close()

    host("second")
    folder = ExperimentFolder.resume(f"{store}/run")
    assert (folder.epoch, folder.records) == (1, 3)
    add(folder, 3)
    with (folder.local / "trials/0/output.log").open("ab") as log:
        log.write(b"epoch 2\n")
    folder.close()
    view = ExperimentFolder.open(f"{store}/run")
    assert asks(view) == list(range(6))
    assert view.read("trials/0/output.log") == b"epoch 1\nepoch 2\n"
    assert view.read("experiment.json") == b'{"name": "MNIST"}'

    host("third")
    folder = ExperimentFolder.resume(f"{store}/run")
    assert (folder.epoch, folder.records) == (2, 6)
    folder.close()


def test_a_journal_whose_end_a_power_cut_took_is_completed_from_the_store(store):
    folder = begin(f"{store}/run")
    add(folder, 3)
    folder.upload()
    crash(folder)
    (folder.local / "journal" / "00000000-00000000.jsonl").write_bytes(_line(0) + _line(1)[:10])
    folder = ExperimentFolder.resume(f"{store}/run")
    assert folder.records == 3
    folder.close()
    assert asks(ExperimentFolder.open(f"{store}/run")) == [0, 1, 2]


def test_a_driver_that_was_replaced_stops_and_adds_nothing_to_the_history(store, host):
    old = begin(f"{store}/run")
    writer = JournalWriter(old)
    for n in range(3):
        writer.append(Idled(ask=n), 0.0)
    writer.flush()
    old.upload()

    host("second")
    new = ExperimentFolder.resume(f"{store}/run")
    assert (new.epoch, new.records) == (1, 3)
    add(new, 2)

    writer.append(Idled(ask=33), 0.0)
    writer.flush()  # the old driver does not know yet
    old.write("result.json", b"of the old driver")
    old.upload()
    with pytest.raises(FencedError, match="another driver has taken over this experiment") as caught:
        writer.flush()
    assert caught.value.final
    assert isinstance(caught.value, JournalError)
    with pytest.raises(FencedError):
        writer.close()
    old.close()
    assert isinstance(old.upload_error, FencedError)
    assert old.local.exists()  # it holds a record that nobody else has
    new.close()
    view = ExperimentFolder.open(f"{store}/run")
    assert asks(view) == [0, 1, 2, 3, 4]
    with pytest.raises(FileNotFoundError):
        view.read("result.json")


def test_a_segment_of_a_replaced_driver_that_arrives_late_is_no_part_of_the_history(store, host):
    old = begin(f"{store}/run")
    add(old, 3)
    old.upload()
    host("second")
    new = ExperimentFolder.resume(f"{store}/run")
    new.place.put("journal/00000000-00000001.jsonl", _line(3) + b"and rubbish")  # it was on its way
    add(new, 2)
    new.close()
    assert asks(ExperimentFolder.open(f"{store}/run")) == [0, 1, 2, 3, 4]
    host("third")
    third = ExperimentFolder.resume(f"{store}/run")
    assert third.records == 5
    third.close()
    host("first")
    crash(old)
    fourth = ExperimentFolder.resume(f"{store}/run")  # what the first driver has left here is kept, and not used
    assert (fourth.epoch, fourth.records) == (3, 5)
    assert (old.local.with_name(f"{old.local.name}-1") / "journal" / "00000000-00000000.jsonl").exists()
    fourth.close()
    assert asks(ExperimentFolder.open(f"{store}/run")) == [0, 1, 2, 3, 4]


def test_a_segment_that_is_missing_is_an_error_with_the_number_of_its_first_record(store, host):
    folder = begin(f"{store}/run")
    for epoch in range(2):
        writer = JournalWriter(folder, folder.records)
        for _ in range(3):
            writer.append(Idled(ask=0), 0.0)
            writer.flush()
            folder.upload()
        writer.close()
        folder.close()
        if epoch == 0:
            folder = ExperimentFolder.resume(f"{store}/run")
    view = ExperimentFolder.open(f"{store}/run")
    assert len(asks(view)) == 6
    for number, name in enumerate(name for name in names(f"{store}/run") if name.endswith(".jsonl")):
        whole = view.read(f"journal/{name}")
        view.place.remove(f"journal/{name}")
        if number == 5:  # the end of what is known; nobody can tell
            assert len(asks(view)) == 5
            continue
        with pytest.raises(JournalError, match=f"journal record {number} is missing") as caught:
            asks(view)
        assert caught.value.record == number
        host("second")
        with pytest.raises(JournalError, match="is missing"):
            ExperimentFolder.resume(f"{store}/run")
        view.place.put(f"journal/{name}", whole)


# --- an experiment that is gone, a store that is away


def test_an_experiment_that_was_removed_makes_room_and_what_is_left_of_it_here_is_kept(store):
    folder = begin(f"{store}/run")
    add(folder, 3)
    folder.upload()
    fs, root = fsspec.core.url_to_fs(f"{store}/run")
    fs.rm(root, recursive=True)
    folder.upload()
    assert "somebody has removed the experiment from the store" in str(folder.upload_error)
    assert names(f"{store}/run") == []
    with pytest.raises(ExperimentDirError, match="is still running"):
        ExperimentFolder.create(f"{store}/run", "MNIST")
    folder.close()
    again = begin(f"{store}/run")
    assert again.id != folder.id
    assert asks(ExperimentFolder.open(again.local.with_name(f"{again.local.name}-1"))) == [0, 1, 2]
    again.close()


def test_a_store_that_is_away_is_no_store_without_experiments(s3, monkeypatch):
    settings = {**fsspec.config.conf["s3"], "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)
    for way in (ExperimentFolder.open, ExperimentFolder.resume):
        with pytest.raises(ExperimentDirError, match=r"'s3://bucket/run' cannot be read: .*http://127\.0\.0\.1:9"):
            way("s3://bucket/run")
    with pytest.raises(ExperimentDirError, match="'s3://bucket/run' cannot be written: "):
        ExperimentFolder.create("s3://bucket/run", "MNIST")


def test_a_store_that_was_away_gets_what_it_missed_and_nothing_twice(memory, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    folder = begin(f"{memory}/run")
    writer = JournalWriter(folder)
    with monkeypatch.context() as away:

        def refuse(self, path, *args, **kwargs):
            raise OSError("the store is away")

        away.setattr(MemoryFileSystem, "pipe_file", refuse)
        for n in range(3):
            writer.append(Idled(ask=n), 0.0)
            writer.flush()
            folder.upload()
            assert str(folder.upload_error) == "the store is away"
    folder.upload()
    assert folder.upload_error is None
    writer.close()
    folder.close()
    assert asks(ExperimentFolder.open(f"{memory}/run")) == [0, 1, 2]


# --- real processes


def test_a_driver_that_is_killed_loses_nothing_on_its_host_and_cannot_be_doubled_there(s3):
    with driver(f"{s3}/run", "create", 1000) as first:
        with pytest.raises(ExperimentDirError, match=f"is still running .pid {first.pid} on host"):
            ExperimentFolder.resume(f"{s3}/run")
        first.send_signal(signal.SIGKILL)
        first.wait()
    with driver(f"{s3}/run", "resume", 1000) as second:
        second.send_signal(signal.SIGKILL)
        second.wait()
    folder = ExperimentFolder.resume(f"{s3}/run")
    assert (folder.epoch, folder.records) == (2, 2000)
    folder.close()
    assert asks(ExperimentFolder.open(f"{s3}/run")) == list(range(2000))


def _line(n: int) -> bytes:
    from maggy.journal.record import Record, to_line

    return to_line(Record(n, 0.0, Idled(ask=n)))
