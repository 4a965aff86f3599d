"""Files under `control/`, by which others ask something of a driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

from journal.helpers import begin, driver

from maggy.journal import ExperimentFolder
from maggy.journal.control import Obeying, Request, ask, driver_alive

PATIENCE_S = 30


def test_a_request_is_obeyed_once_and_is_gone(tmp_path):
    folder = begin(tmp_path / "run")
    heard, came = [], threading.Event()

    def obey(request: Request) -> None:
        heard.append(request)
        if request.trial == 7:
            came.set()

    stale = Request(do="stop", by="somebody, before this driver began")
    ask(folder, stale)
    folder.close()
    folder = ExperimentFolder.resume(tmp_path / "run")
    with Obeying(folder, obey):
        while any((folder.local / "control").glob("*.json")):  # what lay there before is dropped
            threading.Event().wait(0.01)
        (folder.local / "control").mkdir(exist_ok=True)
        (folder.local / "control" / "0.json").write_text("no request at all")
        ask(ExperimentFolder.open(tmp_path / "run"), Request(do="stop", trial=3, by="ada"))
        ask(ExperimentFolder.open(tmp_path / "run"), Request(do="stop", trial=7, by="ada"))
        assert came.wait(PATIENCE_S)
    assert heard == [Request(do="stop", trial=3, by="ada"), Request(do="stop", trial=7, by="ada")]
    assert not list((folder.local).glob("control/*.json"))


def test_what_is_asked_while_a_driver_starts_is_obeyed_once_it_looks(tmp_path):
    folder = begin(tmp_path / "run")
    asked, heard, came = Request(do="stop", by="ada"), [], threading.Event()

    def obey(request: Request) -> None:
        heard.append(request)
        came.set()

    ask(ExperimentFolder.open(tmp_path / "run"), asked)  # it packs its data, or replays a long journal
    with Obeying(folder, obey):
        assert came.wait(PATIENCE_S)
    assert heard == [asked]
    folder.close()


def test_whether_a_driver_is_alive_is_told_by_its_lock(tmp_path):
    folder = begin(tmp_path / "run")
    assert driver_alive(ExperimentFolder.open(tmp_path / "run")) is True
    folder.close()
    assert driver_alive(ExperimentFolder.open(tmp_path / "run")) is False


def test_a_driver_that_was_killed_is_not_alive(tmp_path):
    with driver(tmp_path / "run", "create", 1) as process:
        assert driver_alive(ExperimentFolder.open(tmp_path / "run")) is True
        process.kill()
        process.wait()
    assert driver_alive(ExperimentFolder.open(tmp_path / "run")) is False


def test_a_driver_that_was_killed_and_not_yet_waited_for_is_not_alive(tmp_path):
    with driver(tmp_path / "run", "create", 1) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        os.kill(process.pid, 0)  # its number is taken as long as nobody has waited for it
        assert driver_alive(ExperimentFolder.open(tmp_path / "run")) is False


def test_a_later_process_with_the_number_of_the_driver_is_not_the_driver(tmp_path):
    folder = begin(tmp_path / "run")
    lock = tmp_path / "run" / ".lock"
    owner = json.loads(lock.read_text())
    lock.write_text(json.dumps({**owner, "since": owner["since"] - 1e6}))
    assert driver_alive(ExperimentFolder.open(tmp_path / "run")) is False
    folder.close()


def test_a_driver_on_another_machine_cannot_be_known(tmp_path):
    begin(tmp_path / "run").close()
    (tmp_path / "run" / ".lock").write_text('{"pid": 1, "host": "elsewhere", "since": 0}')
    assert driver_alive(ExperimentFolder.open(tmp_path / "run")) is None


def test_looking_at_a_lock_does_not_take_it(tmp_path):
    begin(tmp_path / "run").close()
    code = (
        "import sys\nfrom maggy.journal import ExperimentFolder\nfrom maggy.journal.control import driver_alive\n"
        "print(driver_alive(ExperimentFolder.open(sys.argv[1])), flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "False\n"
        ExperimentFolder.resume(tmp_path / "run").close()  # while the other still looks
        other.communicate("")
