"""Logs as files, and live where somebody watches."""

import threading

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
    assert shown[0].startswith("the logs cannot be written any more: ")
    assert shown[1:] == ["[trial 0] one", "[trial 0] two", "[worker 0] three"]
    assert (tmp_path / "workers/0.log").read_text() == "three\n"
