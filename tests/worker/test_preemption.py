"""SIGTERM on a worker is a warning: it saves what it can and returns its trial. With real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from worker.helpers import PATIENCE_S, ended, ready

from maggy.wire.messages import (
    Failed,
    Finished,
    Leaving,
    Metrics,
    ProcessEnded,
    Release,
    RunTrial,
    Stopped,
    StopTrial,
    SupervisorHello,
)


def run(boss, function):
    """A worker process in its first trial, which has broadcast once."""
    peer, hello = ready(boss, function)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert boss.hear(Metrics).values[0] == 0.5
    return peer, hello


def left(boss, pid):
    """What a worker process that was warned says until it has left; its supervisor's word on that may come first."""
    said, reported = [], False
    while Leaving not in said or not reported:
        _, message = boss.take(Metrics, Finished, Failed, Stopped, Leaving, ProcessEnded)
        if isinstance(message, ProcessEnded):
            assert (message.cause, message.preempted) == ("it was told to leave (SIGTERM)", True)
            reported = True
        elif not isinstance(message, Metrics):
            said.append(type(message))
    assert ended(pid)
    return said


def test_a_trial_that_broadcasts_may_save_and_is_returned(boss, tmp_path):
    saved = tmp_path / "saved"

    def train(lr, reporter):
        import time

        from maggy.errors import PreemptedException

        reporter.broadcast(lr)
        try:
            while True:
                time.sleep(0.001)
                reporter.broadcast(0.25)
        except PreemptedException as warning:
            saved.write_text(f"{warning}; {reporter.preempted}")
            raise

    _, hello = run(boss, train)
    os.kill(hello.pid, signal.SIGTERM)
    assert left(boss, hello.pid) == [Leaving]
    assert saved.read_text() == "the worker is being taken away; the trial leaves it at metric 0.25; True"
    peer, second = ready(boss, lambda lr: lr)
    assert second.process == 2
    boss.tell(peer, RunTrial(0, 1, {"lr": 0.5}))
    assert boss.hear(Finished) == Finished(0, 1, 0.5)


def swallows(lr, reporter):
    import time

    from maggy.errors import EarlyStopException

    reporter.broadcast(lr)
    try:
        while True:
            time.sleep(0.001)
            reporter.broadcast(lr)
    except EarlyStopException:
        return lr


def looks(lr, reporter):
    reporter.broadcast(lr)
    while not reporter.preempted:
        pass
    return lr


def fails(lr, reporter):
    reporter.broadcast(lr)
    while not reporter.preempted:
        pass
    raise OSError("the data loader was told to leave too")


@pytest.mark.parametrize("function", [swallows, looks, fails])
def test_whatever_a_function_does_in_answer_to_the_warning_is_no_result(boss, function):
    _, hello = run(boss, function)
    os.kill(hello.pid, signal.SIGTERM)
    assert left(boss, hello.pid) == [Leaving]


def test_a_function_that_finishes_by_itself_before_it_notices_has_a_result(boss, tmp_path):
    warned = tmp_path / "warned"

    def train(lr, reporter):
        reporter.broadcast(lr)
        while not warned.exists():
            pass
        return 2 * lr

    _, hello = run(boss, train)
    os.kill(hello.pid, signal.SIGTERM)
    warned.touch()
    assert left(boss, hello.pid) == [Finished, Leaving]


def test_a_trial_that_the_rule_has_stopped_before_the_warning_is_stopped(boss, tmp_path):
    told, warned = tmp_path / "told", tmp_path / "warned"

    def train(lr, reporter):
        reporter.broadcast(lr)
        while not reporter._stop:
            pass
        told.touch()
        while not warned.exists():
            pass
        reporter.broadcast(lr)

    peer, hello = run(boss, train)
    boss.tell(peer, StopTrial(0, 0))
    while not told.exists():
        assert Path(f"/proc/{hello.pid}").exists()
    os.kill(hello.pid, signal.SIGTERM)
    warned.touch()
    assert left(boss, hello.pid) == [Stopped, Leaving]


def test_a_silent_trial_is_ended_through_its_finally_after_a_while(boss, tmp_path):
    cleaned = tmp_path / "cleaned"

    def train(lr, reporter):
        from maggy.worker import process

        process.PREEMPTED_S = 0.2
        reporter.broadcast(lr)
        try:
            while True:
                pass
        finally:
            cleaned.touch()

    _, hello = run(boss, train)
    os.kill(hello.pid, signal.SIGTERM)
    assert left(boss, hello.pid) == [Leaving]
    assert cleaned.exists()


def test_a_trial_that_saves_is_not_interrupted(boss, tmp_path):
    saved, asked = tmp_path / "saved", tmp_path / "asked"

    def train(lr, reporter):
        import signal

        from maggy.worker import process

        process.PREEMPTED_S = 0.05
        reporter.broadcast(lr)
        while not reporter.preempted:
            pass
        insist = signal.getsignal(signal.SIGALRM)
        signal.signal(signal.SIGALRM, lambda *args: (asked.touch(), insist(*args)))
        while not asked.exists():  # saving takes longer than a trial that does nothing gets
            pass
        saved.touch()

    _, hello = run(boss, train)
    os.kill(hello.pid, signal.SIGTERM)
    assert left(boss, hello.pid) == [Leaving]
    assert saved.exists()


def test_a_worker_that_waits_for_a_trial_leaves_at_once(boss):
    _, hello = ready(boss, lambda lr: lr)
    os.kill(hello.pid, signal.SIGTERM)
    assert left(boss, hello.pid) == [Leaving]
    ready(boss, lambda lr: lr)


def test_threads_that_never_end_do_not_keep_a_worker_that_has_left(boss):
    def train(lr, reporter):
        import threading
        import time

        from maggy.worker import process

        process.PREEMPTED_S = 0.5
        threading.Thread(target=threading.Event().wait).start()
        reporter.broadcast(lr)
        while True:
            time.sleep(0.001)
            reporter.broadcast(lr)

    _, hello = run(boss, train)
    os.kill(hello.pid, signal.SIGTERM)
    assert left(boss, hello.pid) == [Leaving]


# --- the supervisor is warned


@contextmanager
def supervisor_process(ticket, leave_s):
    """A supervisor in the main thread of a process of its own, as in a task of Spark."""
    enter = (
        "import sys; from maggy.worker import supervisor; from maggy.ticket import Ticket\n"
        f"supervisor.LEAVE_S = {leave_s}\n"
        "Ticket.from_json(sys.stdin.readline()).enter()"
    )
    with subprocess.Popen([sys.executable, "-c", enter], stdin=subprocess.PIPE, text=True) as process:
        process.stdin.write(ticket.to_json() + "\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_supervisor_that_is_warned_passes_it_on_and_leaves_after_its_worker(seat, signum):
    boss, ticket = seat
    with supervisor_process(ticket, PATIENCE_S) as supervisor:
        boss.take(SupervisorHello)
        _, hello = run(boss, looks)
        supervisor.send_signal(signum)
        assert boss.take(Leaving)
        _, report = boss.take(ProcessEnded)
        assert (report.preempted, report.cause) == (True, f"its supervisor got {signum.name}")
        assert supervisor.wait(PATIENCE_S) == -signum
        assert ended(hello.pid)


def test_a_worker_that_refuses_to_leave_with_its_supervisor_is_killed_and_counts_as_preempted(seat):
    boss, ticket = seat

    def train(lr, reporter):
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        reporter.broadcast(lr)
        while True:
            pass

    with supervisor_process(ticket, 0.2) as supervisor:
        boss.take(SupervisorHello)
        _, hello = run(boss, train)
        supervisor.terminate()
        assert boss.take(ProcessEnded)[1].preempted
        assert supervisor.wait(PATIENCE_S) == -signal.SIGTERM
        assert ended(hello.pid)


def test_a_supervisor_that_is_released_while_it_leaves_does_both(seat):
    boss, ticket = seat
    with supervisor_process(ticket, PATIENCE_S) as supervisor:
        chief, _ = boss.take(SupervisorHello)
        _, hello = run(boss, looks)
        supervisor.terminate()
        boss.tell(chief, Release(0.0))
        assert supervisor.wait(PATIENCE_S) == -signal.SIGTERM
        assert ended(hello.pid)
