"""A supervisor and the processes that it keeps alive, for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from worker.helpers import PATIENCE_S, ended, ready

from maggy.errors import EngineError
from maggy.ticket import GUEST_SEATS
from maggy.wire.messages import (
    Enlisted,
    Finished,
    Heartbeat,
    Log,
    Metrics,
    Output,
    ProcessEnded,
    RunTrial,
    SupervisorHello,
    WorkerHello,
)
from maggy.worker import supervisor

# --- one process after another


def test_it_starts_a_process_of_the_same_holder_that_works_in_the_environment_of_its_seat(boss):
    def train(lr):
        import os

        return {"Metric": lr, "share": os.environ["SHARE"], "pid": os.getpid()}

    peer, hello = ready(boss, train)
    assert (hello.seat, hello.process) == (3, 1)
    assert hello.pid != os.getpid()
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert boss.hear(Finished).outputs == {"Metric": 0.5, "share": "a third", "pid": hello.pid}
    boss.release(boss.supervisor, peer)
    assert ended(hello.pid)


def test_it_says_that_it_is_alive_as_often_as_it_is_told_to(boss):
    boss.tell(boss.supervisor, Enlisted(heartbeat_s=0.01))
    for _ in range(3):
        assert boss.take(Heartbeat)[0] == boss.supervisor


def test_a_process_that_is_killed_is_reported_with_its_signal_and_replaced(boss):
    _, first = ready(boss, lambda lr: lr)
    os.kill(first.pid, signal.SIGKILL)
    _, report = boss.take(ProcessEnded)
    assert (report.process, report.cause) == (1, "its process was ended by SIGKILL (killed, most often for memory)")
    peer, second = ready(boss, lambda lr: lr)
    assert (second.holder, second.process) == (first.holder, 2)
    boss.tell(peer, RunTrial(0, 1, {"lr": 0.5}))
    assert boss.hear(Finished) == Finished(0, 1, 0.5)


def test_a_process_that_leaves_on_its_own_is_reported_with_what_it_said_last(boss):
    def train(lr):
        import os

        os.write(1, b"native code says\n" * 100 + b"its last words\n")
        os._exit(3)

    peer, _ = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    _, report = boss.take(ProcessEnded)
    assert report.cause == "its process ended with exit code 3"
    assert report.tail.splitlines() == ["native code says"] * 29 + ["its last words"]


def test_a_crash_of_native_code_is_reported_with_its_signal(boss):
    def train(lr):
        import ctypes

        ctypes.string_at(0)

    peer, _ = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert boss.take(ProcessEnded)[1].cause == "its process was ended by SIGSEGV"


def test_what_a_process_writes_past_python_is_forwarded_line_by_line_and_what_it_prints_is_its_trials_log(boss):
    def train(lr):
        import os

        print("printed")
        os.write(2, b"written, \xff\n" + b"x" * 25_000 + b"\n")
        return lr

    peer, _ = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    lines = []
    while len(lines) < 4:
        message = boss.take(Output, Log, Finished)[1]
        lines += message.lines if isinstance(message, Output) else []
        assert not isinstance(message, Log) or message.lines == ["printed"]
    assert [line[:12] for line in lines] == ["written, \ufffd", "x" * 12, "x" * 12, "x" * 12]
    assert [len(line) for line in lines[1:]] == [10_000, 10_000, 5_000]


# --- nothing is left behind


def start_a_grandchild(lr):
    import subprocess

    return {"Metric": lr, "pid": subprocess.Popen(["sleep", "1000"]).pid}


@pytest.mark.parametrize("end", ["released", "killed"])
def test_what_the_function_has_left_running_ends_with_its_process(boss, end):
    peer, hello = ready(boss, start_a_grandchild)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    grandchild = boss.hear(Finished).outputs["pid"]
    assert Path(f"/proc/{grandchild}").exists()
    if end == "released":
        boss.release(peer)
    else:
        os.kill(hello.pid, signal.SIGKILL)
    assert ended(grandchild)
    assert boss.take(ProcessEnded)[1].process == 1


def test_a_trial_that_does_not_leave_is_asked_to_and_may_clean_up(boss, tmp_path):
    cleaned = tmp_path / "cleaned"

    def train(lr, reporter):
        reporter.broadcast(lr)
        try:
            while True:
                pass
        finally:
            cleaned.touch()

    peer, hello = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    boss.hear(Metrics)
    boss.release(boss.supervisor, peer, grace_s=2.0)
    assert ended(hello.pid)
    assert cleaned.exists()


def test_a_trial_that_refuses_to_leave_is_made_to(boss):
    def train(lr, reporter):
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reporter.broadcast(lr)
        while True:
            pass

    peer, hello = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    boss.hear(Metrics)
    boss.release(boss.supervisor, peer)  # with all the time of the world
    boss.release(boss.supervisor)  # told twice: at once
    assert ended(hello.pid)


@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_dies_with_a_supervisor_that_is_killed(seat, busy):
    boss, ticket = seat
    enter = "import sys; from maggy.ticket import Ticket; Ticket.from_json(sys.stdin.readline()).enter()"
    with subprocess.Popen([sys.executable, "-c", enter], stdin=subprocess.PIPE, text=True) as supervisor:
        supervisor.stdin.write(ticket.to_json() + "\n")
        supervisor.stdin.flush()

        def train(lr, reporter):
            reporter.broadcast(lr)
            while True:
                pass

        boss.take(SupervisorHello)
        peer, hello = ready(boss, train)
        if busy:
            boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
            boss.hear(Metrics)
        supervisor.kill()
        assert ended(hello.pid)


# --- secrets


def test_no_secret_is_shown_by_the_process_table(seat):
    boss, ticket = seat
    thread = threading.Thread(target=ticket.enter, daemon=True)
    thread.start()
    chief, _ = boss.take(SupervisorHello)
    _, hello = boss.take(WorkerHello)
    for page in ("cmdline", "environ"):
        shown = Path(f"/proc/{hello.pid}/{page}").read_bytes()
        assert shown
        assert ticket.secret_key.encode() not in shown
    boss.release(chief, grace_s=0.0)
    thread.join(PATIENCE_S)
    assert ended(hello.pid)


# --- guests


def test_a_guest_that_no_driver_answers_says_so_and_starts_nothing(seat, monkeypatch):
    boss, ticket = seat
    boss.listener.close()
    monkeypatch.setattr(supervisor, "_ENLIST_S", 0.2)
    guest = supervisor.Supervisor(replace(ticket, seat=GUEST_SEATS), {})
    with pytest.raises(EngineError, match=f"no driver answers at {ticket.address}"):
        guest.run()
    assert guest._started == 0
