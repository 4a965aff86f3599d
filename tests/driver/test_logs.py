"""Logs as files, and live where somebody watches."""

import resource
import threading

import pytest

from maggy.driver import Logs


def test_lines_are_appended_to_the_file_of_their_trial_or_worker(tmp_path):
    logs = Logs(tmp_path, show=None)
    logs.trial(3, ["epoch 1", "epoch 2"])
    logs.worker(0, ["native code says"])
    logs.trial(3, ["größe \udc80"])
    logs.close()
    assert (tmp_path / "trials/3/output.log").read_bytes() == "epoch 1\nepoch 2\ngröße ?\n".encode()
    assert (tmp_path / "workers/0.log").read_text() == "native code says\n"


def test_whoever_watches_sees_each_line_with_whose_it_is(tmp_path):
    shown = []
    logs = Logs(tmp_path, shown.append)
    logs.trial(3, ["epoch 1", "epoch 2"])
    logs.worker(0, ["native code says"])
    logs.close()
    assert shown == ["[trial 3] epoch 1", "[trial 3] epoch 2", "[worker 0] native code says"]


def test_a_trial_that_says_nothing_has_no_folder_and_closing_ends_the_thread(tmp_path):
    before = set(threading.enumerate())
    Logs(tmp_path, show=None).close()
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) == before


def test_a_disk_that_refuses_lines_is_reported_once_and_stops_nobody(tmp_path):
    (tmp_path / "trials").write_text("a file where the folder should be")
    shown = []
    logs = Logs(tmp_path, shown.append)
    logs.trial(0, ["one"])
    logs.trial(0, ["two"])
    logs.worker(0, ["three"])
    logs.close()
    assert shown[0].startswith("the logs cannot be written: ")
    assert shown[1:] == ["[trial 0] one", "[trial 0] two", "[worker 0] three"]
    assert (tmp_path / "workers/0.log").read_text() == "three\n"


@pytest.fixture
def limit_file_size():
    """Sets how large files may become, as a full disk would, and lifts it again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_with_space_again_gets_the_lines_from_then_on_and_the_gap_is_marked(tmp_path, limit_file_size):
    seen = threading.Semaphore(0)
    shown = []

    def show(line):
        shown.append(line)
        seen.release()

    logs = Logs(tmp_path, show)
    limit_file_size(6)
    logs.trial(0, ["one", "cut in two"])
    assert all(seen.acquire(timeout=60) for _ in range(3))
    limit_file_size(None)
    logs.trial(0, ["three"])
    logs.close()
    assert shown[0].startswith("the logs cannot be written: ")
    log = (tmp_path / "trials/0/output.log").read_text()
    assert log == "one\ncu\n[maggy: lines are missing here, the disk refused them]\nthree\n"


def test_a_log_that_is_full_says_so_in_its_last_line_and_grows_no_more(tmp_path):
    logs = Logs(tmp_path, show=None)
    for _ in range(40):
        logs.worker(0, ["x" * (1 << 20)])
    logs.worker(1, ["another file"])
    logs.close()
    log = (tmp_path / "workers/0.log").read_bytes()
    assert 32 << 20 < len(log) < (32 << 20) + 100
    assert log.endswith(b"x\n[maggy: this log is full at 32 MiB; the rest is dropped]\n")
    assert (tmp_path / "workers/1.log").read_text() == "another file\n"
