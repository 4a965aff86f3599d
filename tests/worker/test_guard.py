"""Nothing that a training function starts outlives its worker, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from worker.helpers import ended, ready

from maggy.wire.messages import Failed, Finished, Metrics, ProcessEnded, RunTrial, SupervisorHello


def start_some(lr):
    """A child, one in a session of its own, and one that a child has left behind in such a session."""
    import subprocess

    child = subprocess.Popen(["sleep", "1000"])
    apart = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    forgotten = subprocess.run(["setsid", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"], capture_output=True)
    return {"Metric": lr, "pids": [child.pid, apart.pid, int(forgotten.stdout)]}


def pids_of_some(boss):
    peer, hello = ready(boss, start_some)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    return peer, hello, boss.hear(Finished).outputs["pids"]


@pytest.mark.parametrize("how", ["released", "killed", "made to leave"])
def test_also_what_has_left_its_process_group_ends_with_the_worker(boss, how):
    peer, hello, started = pids_of_some(boss)
    if how == "released":
        boss.release(peer)
        assert boss.take(ProcessEnded)[1].cause == "its process ended with exit code 0"
    elif how == "killed":
        os.kill(hello.pid, signal.SIGKILL)
        assert boss.take(ProcessEnded)[1].cause.startswith("its process was ended by SIGKILL")
    else:
        boss.release(boss.supervisor, grace_s=0.0)
    assert [ended(pid) for pid in [hello.pid, *started]] == [True] * 4


def test_also_with_a_supervisor_that_is_killed(seat):
    boss, ticket = seat
    enter = "import sys; from maggy.ticket import Ticket; Ticket.from_json(sys.stdin.readline()).enter()"
    with subprocess.Popen([sys.executable, "-c", enter], stdin=subprocess.PIPE, text=True) as supervisor:
        supervisor.stdin.write(ticket.to_json() + "\n")
        supervisor.stdin.flush()
        boss.take(SupervisorHello)
        _, hello, started = pids_of_some(boss)
        supervisor.kill()
        assert [ended(pid) for pid in [hello.pid, *started]] == [True] * 4


def test_the_guard_is_no_child_that_a_training_function_could_wait_for(boss):
    def train(lr):
        import os

        os.waitpid(-1, 0)

    peer, _ = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert boss.hear(Failed).error == "ChildProcessError: [Errno 10] No child processes"


def test_a_guard_that_is_killed_takes_its_worker_with_it(boss):
    def train(lr, reporter):
        import os

        reporter.broadcast(os.getppid())
        while True:
            pass

    peer, hello = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    os.kill(int(boss.hear(Metrics).values[0]), signal.SIGKILL)
    assert ended(hello.pid)
    assert boss.take(ProcessEnded)[1].cause.startswith("its process was ended by SIGKILL")


def test_orphans_that_end_while_the_worker_works_are_not_left_as_zombies(boss):
    def train(lr):
        import os
        import subprocess
        from pathlib import Path

        orphan = int(subprocess.run(["sh", "-c", "true & echo $!"], capture_output=True).stdout)
        while Path(f"/proc/{orphan}").exists():
            pass
        return {"Metric": lr, "guard": os.getppid()}

    peer, _ = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert boss.hear(Finished).metric == 0.5
