"""One call that Spark answers when the last worker has left, and the thread that waits for it."""

from __future__ import annotations

import logging
import time
import uuid
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from threading import Event, Thread

from maggy.engine.base import Launched, OnExit
from maggy.engine.cores import thread_limits
from maggy.errors import EngineError
from maggy.ticket import Ticket

_log = logging.getLogger(__name__)
KILL_S = 30.0
"""Spark takes about 4 s to kill a Python task; longer than this, and something is broken."""


class SparkLaunch(Launched):
    """See the module. `start` begins the call.

    name  by which Spark knows it
    """

    def __init__(self, tickets: Sequence[Ticket], on_exit: OnExit) -> None:
        self._tickets, self._on_exit = tuple(tickets), on_exit
        self._stop_asked = Event()
        self.name = f"maggy-{uuid.uuid4().hex}"
        self._thread = Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> Launched:
        """Begin; returns itself."""
        self._thread.start()
        return self

    def stop(self, grace_s: float) -> None:
        self._stop_asked.set()
        self._thread.join(max(0.0, grace_s))
        deadline = time.monotonic() + KILL_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._cancel()
            self._thread.join(1.0)  # and again: Spark cannot cancel what it has not seen yet
        if self._thread.is_alive():
            _log.warning("Spark did not end the tasks of %s within %g s", self.name, KILL_S)

    @abstractmethod
    def _fill_seats(self) -> None:
        """Return when the call is answered; in a thread of its own. Raises what Spark raises where it gives it up."""

    @abstractmethod
    def _cancel(self) -> None:
        """Have Spark kill the tasks."""

    @abstractmethod
    def _explained(self, error: Exception) -> EngineError:
        """What Spark has raised, for people."""

    def _wait_for_tasks(self) -> None:
        """Return when the last task has ended, where the answer comes before."""

    def _run(self) -> None:
        reason: EngineError | None = None
        try:
            self._fill_seats()
        except EngineError as error:
            reason = error
        except Exception as error:
            reason = self._explained(error)
            reason.__cause__ = error
        self._wait_for_tasks()
        self._on_exit(None if self._stop_asked.is_set() else reason)


def fill_seat(tickets: Sequence[Ticket], cpus: int | None, _: Iterable[int]) -> None:
    """What a task does, on an executor.

    cpus  that the worker may use; None for those of the task
    """
    from pyspark import TaskContext

    task = TaskContext.get()
    assert task is not None
    environment = thread_limits(cpus or task.cpus())
    if gpu := task.resources().get("gpu"):
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)
    tickets[task.partitionId()].enter(environment)
