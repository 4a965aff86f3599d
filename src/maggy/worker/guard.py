"""The guard: the parent of a worker process, which lets nothing outlive it that the training function has started.

A worker may be killed at any time, and its supervisor with the whole driver; so somebody has to be left who ends the
children. The guard forks the worker before anything heavy is imported, sleeps until that ends, ends what it has left
behind, and then ends in the same way, so that its own parent sees the exit code or signal of the worker.

SIGTERM is passed on to the worker. SIGHUP, which Linux sends when the supervisor is gone, ends everything at once.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from time import monotonic

_NEWS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP}
_PDEATHSIG, _CHILD_SUBREAPER = 1, 36  # of prctl(2)
_PATIENCE_S = 2.0  # killed processes are gone within milliseconds, unless the kernel holds them
_LOOK_S = 0.02


def main() -> None:
    """Fork the worker process, and see to its end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_NEWS, signal.SIGINT})
    _ask_linux(_PDEATHSIG, signal.SIGHUP)
    _ask_linux(_CHILD_SUBREAPER, 1)  # whoever loses its parent below becomes a child of this process
    guard = os.getpid()
    worker = os.fork()
    if worker == 0:
        _ask_linux(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        from maggy.worker.process import main

        main()
        return
    status = _watch(worker)
    _end_the_rest()
    _end_like(status)


def _watch(worker: int) -> int:
    """Wait for the worker's end; its wait status."""
    while True:
        match signal.sigwait(_NEWS):
            case signal.SIGTERM:
                os.kill(worker, signal.SIGTERM)
            case signal.SIGHUP:
                os.kill(worker, signal.SIGKILL)
            case _:
                for pid, status in _reap():
                    if pid == worker:
                        return status


def _reap() -> list[tuple[int, int]]:
    """Children that have ended, with their wait status."""
    ended = []
    try:
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(child)
    except ChildProcessError:
        pass
    return ended


def _end_the_rest() -> None:
    """Kill the children that are left, and those that become this process's when their parents die."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    until = monotonic() + _PATIENCE_S
    while monotonic() < until and children.exists() and (pids := children.read_text().split()):
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)  # it is there until it is reaped
        signal.sigtimedwait({signal.SIGCHLD}, _LOOK_S)
        _reap()


def _end_like(status: int) -> None:
    """End as a process with this wait status has."""
    if os.WIFSIGNALED(status):
        signum = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the worker has dumped its own
        if signum != signal.SIGKILL:
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
        os.kill(os.getpid(), signum)
    os._exit(os.waitstatus_to_exitcode(status))


def _ask_linux(option: int, value: int) -> None:
    """Call prctl(2); other systems have none, and there the worker itself notices that its supervisor is gone."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    main()
