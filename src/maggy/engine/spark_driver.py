"""Workers beside a Spark session: threads of the program, for training functions that start Spark jobs themselves."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from maggy.engine.base import Engine, Launched, OnExit
from maggy.engine.seats import start_seats
from maggy.engine.spark_cluster import (
    SparkCluster,
    connect_is_active,
    find_connect_session,
    find_context,
    is_connect,
    is_stopped,
)
from maggy.errors import ConfigError, EngineError
from maggy.ticket import THREAD_WORKER, MarkJobs, Ticket

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_SLOTS = 4  # their jobs share the executors, so more trials at once seldom make a search quicker


class DriverSeats(Engine):
    """What `SparkEngine` is with where="driver"; see there.

    The jobs of each worker are in a pool of Spark's fair scheduler, "maggy-<seat>", and those of each trial have a tag,
    by which they are cancelled when it is to stop. Spark Connect knows tags only.
    """

    name = "spark-driver"
    entry = THREAD_WORKER
    bind_host = None

    def __init__(self, session: SparkSession | None, *, cores: int | None, slots: int | None) -> None:
        self._session, self._cores, self._slots = session, cores, slots
        self._found: _ClassicJobs | _ConnectJobs | None = None

    @property
    def _jobs(self) -> _ClassicJobs | _ConnectJobs:
        if self._found is None:
            session = self._session
            if connect_is_active() if session is None else is_connect(session):
                self._found = _ConnectJobs(find_connect_session(session))
            else:
                self._found = _ClassicJobs(find_context(session, self._cores))
        return self._found

    def slots(self, resources: Mapping[str, float]) -> int:
        if resources:
            raise ConfigError(
                "resources_per_worker: trials run on the driver here, and their Spark jobs take what the session gives "
                "them; leave it out"
            )
        if self._found is not None and self._found.is_stopped:
            self._found = None
        jobs = self._jobs
        return self._slots or min(_SLOTS, jobs.slots())

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        jobs = self._jobs
        if jobs.is_stopped:
            raise EngineError("the Spark session of the trials was stopped; start another one.")
        return _Threads(tickets, jobs.marking, on_exit)

    def describe(self) -> str:
        return f"Trials run in threads on the driver; their jobs run on {self._jobs.describe()}."


class _ClassicJobs:
    """Pools and tags of a classic session; both belong to a thread."""

    def __init__(self, context: SparkContext) -> None:
        from py4j.clientserver import ClientServer

        if not isinstance(context._gateway, ClientServer):
            raise EngineError(
                "where='driver' needs a thread of Spark's own for each trial, and PYSPARK_PIN_THREAD=false forbids "
                "that. Unset it before the session is started."
            )
        self._context, self._cluster = context, SparkCluster(context)
        if self._cluster.setting("spark.scheduler.mode", "FIFO").upper() != "FAIR":
            _log.warning(
                "trials will wait for each other's Spark jobs: start the session with spark.scheduler.mode=FAIR, and "
                "they share the executors"
            )

    @property
    def is_stopped(self) -> bool:
        return is_stopped(self._context)

    def slots(self) -> int:
        return self._cluster.slots(self._cluster.task_size({}))

    def describe(self) -> str:
        return self._cluster.describe()

    def marking(self, seat: int) -> MarkJobs:
        """For the calling thread, whose jobs are in a pool of its own from now on."""
        context = self._context
        context.setLocalProperty("spark.scheduler.pool", f"maggy-{seat}")

        def mark(name: str) -> Callable[[], None]:
            context.clearJobTags()
            context.addJobTag(name)
            context.setJobDescription(name)
            return lambda: _try(context.cancelJobsWithTag, name)

        return mark


class _ConnectJobs:
    """Tags of a Spark Connect session."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @property
    def is_stopped(self) -> bool:
        return bool(self._session.is_stopped)

    def slots(self) -> int:
        return _SLOTS

    def describe(self) -> str:
        return f"Spark {self._session.version} over Spark Connect"

    def marking(self, seat: int) -> MarkJobs:
        session = self._session

        def mark(name: str) -> Callable[[], None]:
            session.clearTags()
            session.addTag(name)
            return lambda: _try(session.interruptTag, name)

        return mark


def _try(cancel: Callable[[str], Any], name: str) -> None:
    try:
        cancel(name)
    except Exception as error:  # the session was stopped, or its JVM is dead: so are the jobs
        _log.debug("cannot cancel the jobs of %s: %s", name, error)


class _Threads(Launched):
    """One thread for each seat."""

    def __init__(self, tickets: Sequence[Ticket], marking: Callable[[int], MarkJobs], on_exit: OnExit) -> None:
        def work(index: int, ticket: Ticket) -> None:
            ticket.enter(mark_jobs=marking(ticket.seat))

        self._seats, _ = start_seats(tickets, work, on_exit)

    def stop(self, grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        for thread in self._seats:
            thread.join(max(0.0, deadline - time.monotonic()))
        if running := [thread.name for thread in self._seats if thread.is_alive()]:
            _log.warning(
                "%s: the training function neither returns nor broadcasts, and nothing can end a thread; it goes on "
                "until the program ends",
                ", ".join(running),
            )
