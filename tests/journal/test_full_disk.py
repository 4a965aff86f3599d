"""Disks that refuse: nothing is lost, nothing is written twice, and what cannot be mended is said."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from journal.helpers import add, asks, begin, write_until_refused

from maggy.brain.events import Idled
from maggy.errors import ExperimentDirError, JournalError
from maggy.journal import ExperimentFolder, JournalWriter

SEGMENT = "journal/00000000-00000000.jsonl"


@dataclass
class Disk:
    """A disk that is full, and has space again, when the test says so."""

    path: Path
    fill: Callable[[], None]
    free: Callable[[], None]


@pytest.fixture
def limit_file_size() -> Iterator[Callable[[int | None], None]]:
    """Sets how large a file may become; a write across that size is done in part, the next one refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size is None else size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def limited(tmp_path, limit_file_size) -> Disk:
    def fill() -> None:
        limit_file_size(max(file.stat().st_size for file in tmp_path.rglob("*.jsonl")) + 100)

    return Disk(tmp_path, fill, lambda: limit_file_size(None))


@pytest.fixture
def small(tmp_path) -> Iterator[Disk]:
    """A real file system of 256 KiB, where one may be mounted."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "maggy-test", str(path)]
    mounted = shutil.which("mount") and subprocess.run(command, capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("a file system may not be mounted here")

    def fill() -> None:
        with (path / "ballast").open("wb", buffering=0) as file:
            while file.write(b"x" * 512) == 512:
                if not os.statvfs(path).f_bavail:
                    return

    yield Disk(path, fill, (path / "ballast").unlink)
    subprocess.run(["umount", str(path)], check=True)


@pytest.fixture(params=["limited", "small"])
def disk(request) -> Disk:
    return request.getfixturevalue(request.param)


def test_a_full_disk_holds_records_back_and_they_follow_when_space_is_back(disk):
    folder = begin(disk.path / "run")
    writer = JournalWriter(folder)
    try:
        count = 0
        for _ in range(3):
            for _ in range(200):
                writer.append(Idled(ask=count), 0.0)
                count += 1
            writer.flush()
            disk.fill()
            for _ in range(3):
                for _ in range(200):  # news that came while the disk was full
                    writer.append(Idled(ask=count), 0.0)
                    count += 1
                with pytest.raises(JournalError, match=r"the journal .*\.jsonl cannot be written: .*") as caught:
                    writer.flush()
                assert not caught.value.final
            seen = asks(folder)
            assert seen == list(range(len(seen)))
            disk.free()
            writer.flush()
            assert asks(folder) == list(range(count))
    finally:
        writer.close()
        folder.close()


def test_a_write_goes_on_at_the_byte_where_it_was_refused(tmp_path, limit_file_size):
    folder = begin(tmp_path / "run")
    writer = JournalWriter(folder)
    for n in range(20):
        writer.append(Idled(ask=n), 0.0)
    size, refused = 0, 0
    while True:
        limit_file_size(size := size + 7)
        try:
            writer.flush()
            break
        except JournalError:
            refused += 1
            assert (folder.local / SEGMENT).stat().st_size == size
    limit_file_size(None)
    writer.close()
    assert refused == (folder.local / SEGMENT).stat().st_size // 7
    assert asks(folder) == list(range(20))


def test_a_writer_that_is_closed_on_a_full_disk_says_so_and_what_it_wrote_can_be_resumed(disk):
    folder = begin(disk.path / "run")
    writer = JournalWriter(folder)
    for n in range(5):
        writer.append(Idled(ask=n), 0.0)
    writer.flush()
    disk.fill()
    for n in range(5, 500):
        writer.append(Idled(ask=n), 0.0)
    with pytest.raises(JournalError, match="cannot be written"):
        writer.close()
    folder.close()
    disk.free()
    folder = ExperimentFolder.resume(disk.path / "run")
    assert 5 <= folder.records < 500
    add(folder, 3)
    folder.close()
    assert asks(ExperimentFolder.open(disk.path / "run")) == list(range(folder.records + 3))


def test_a_disk_that_is_full_from_the_start_is_an_error(small):
    small.fill()
    with pytest.raises(ExperimentDirError, match=r"cannot be written: .*No space left"):
        ExperimentFolder.create(small.path / "run", "MNIST")
    small.free()
    begin(small.path / "run").close()


@pytest.mark.parametrize("removed", ["", "journal", SEGMENT])
def test_a_journal_that_is_removed_under_its_driver_is_a_final_error(tmp_path, removed):
    folder = begin(tmp_path / "run")
    writer = JournalWriter(folder)
    path = tmp_path / "run" / removed
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(JournalError, match=r"the journal .* was removed while the experiment ran") as caught:
        write_until_refused(writer)
    assert caught.value.final
    with pytest.raises(JournalError, match="was removed"):
        writer.close()


# --- a disk that takes what it does not keep: no such disk is at hand, so the sync is played


@pytest.fixture
def forgetful(monkeypatch) -> dict[str, int | None]:
    """While `errno` is set, a sync fails, and the kernel drops what was written since the last good one."""
    state: dict[str, int | None] = {"errno": None, "kept": 0}
    fdatasync = os.fdatasync

    def play(file: int) -> None:
        if state["errno"] is None:
            fdatasync(file)
            state["kept"] = os.fstat(file).st_size
            return
        if state["errno"] == errno.EIO:
            os.truncate(file, state["kept"])
        raise OSError(state["errno"], os.strerror(state["errno"]))

    monkeypatch.setattr(os, "fdatasync", play)
    return state


def test_what_a_failed_sync_may_have_dropped_is_written_again(tmp_path, forgetful):
    folder = begin(tmp_path / "run")
    writer = JournalWriter(folder)
    forgetful["errno"] = errno.EIO
    with pytest.raises(JournalError, match=r"cannot be written: .*Input/output error") as caught:
        write_until_refused(writer)
    assert not caught.value.final
    assert isinstance(writer.sync_error, OSError)
    with pytest.raises(JournalError, match="Input/output error"):
        writer.flush()
    forgetful["errno"] = None
    writer.flush()
    assert writer.sync_error is None
    writer.close()
    seen = asks(folder)
    assert seen == list(range(len(seen))) != []


def test_a_last_sync_that_fails_is_an_error_of_close(tmp_path, forgetful):
    writer = JournalWriter(begin(tmp_path / "run"))
    writer.append(Idled(ask=0), 0.0)
    forgetful["errno"] = errno.EIO
    with pytest.raises(JournalError, match=r"cannot be brought to disk: .*Input/output error"):
        writer.close()


def test_a_file_system_that_cannot_sync_is_written_all_the_same(tmp_path, forgetful):
    folder = begin(tmp_path / "run")
    forgetful["errno"] = errno.EINVAL
    add(folder, 3)
    assert asks(folder) == [0, 1, 2]
