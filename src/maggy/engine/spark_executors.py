"""Workers on the executors of Spark: one long task for each seat, side by side in one stage.

A task of Spark cannot be added to a running stage or stopped inside it, so workers hold their slot for the whole
experiment and get their trials from the driver. Spark starts the tasks, starts them again where one dies, and, only if
they do not leave when the driver says so, kills them. In a barrier stage it starts all or none, and kills all where one
dies; then another stage has to be launched.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from maggy.engine.base import Engine, Launched, OnExit
from maggy.engine.spark_cluster import (
    SparkCluster,
    TaskSize,
    find_context,
    is_stopped,
    java_message,
    stop_is_an_engine_error,
)
from maggy.engine.spark_launch import KILL_S, SparkLaunch, fill_seat
from maggy.errors import EngineError
from maggy.ticket import Ticket

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)


class ExecutorSeats(Engine):
    """What `SparkEngine` is for a classic session; see there."""

    name = "spark"

    def __init__(
        self, session: SparkSession | None, *, cores: int | None, barrier: bool, start_timeout_s: float
    ) -> None:
        self._session, self._cores, self._barrier = session, cores, barrier
        self.start_timeout_s = start_timeout_s
        self._offered: dict[TaskSize, int] = {}
        self._found: SparkCluster | None = None

    @property
    def _cluster(self) -> SparkCluster:
        if self._found is None:
            context = find_context(self._session, self._cores)
            with stop_is_an_engine_error(context):
                self._found = SparkCluster(context)
        return self._found

    @property
    def bind_host(self) -> str:
        """The address that Spark's own driver listens on."""
        host = self._cluster.setting("spark.driver.bindAddress") or self.advertised_host
        try:
            return socket.gethostbyname(host)
        except OSError as error:
            raise EngineError(
                f"the driver cannot listen at {host!r}: {error}. Start the Spark session with spark.driver.bindAddress "
                "set to an address of this machine."
            ) from error

    @property
    def advertised_host(self) -> str:
        """The name or address by which executors already reach the driver."""
        return self._cluster.setting("spark.driver.host")

    def slots(self, resources: Mapping[str, float]) -> int:
        # Only here, where an experiment begins: a launch that makes up for lost workers starts no other Spark.
        if self._found is not None and is_stopped(self._found.context):
            self._found = None
        cluster = self._cluster
        if self._barrier and cluster.is_dynamic:
            raise EngineError(
                "Spark has no barrier stages with dynamic allocation: leave out barrier=True, or start the session "
                "with spark.dynamicAllocation.enabled=false."
            )
        with stop_is_an_engine_error(cluster.context):
            size = cluster.task_size(resources)
            self._offered[size] = slots = cluster.slots(size)
            return slots

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        cluster = self._cluster
        if is_stopped(cluster.context):
            raise EngineError("the Spark session of the workers was stopped; start another one.")
        size = cluster.task_size(resources)
        offered = self._offered.get(size, inf)
        if self._barrier and len(tickets) > offered:
            raise EngineError(
                f"{len(tickets)} workers are to start at once (barrier=True), and there is room for {offered}: "
                f"{self.describe()}. Lower num_workers, or start the session with more executors."
            )
        together_s = self.start_timeout_s if self._barrier else None
        return _SparkJob(cluster, tickets, size.cpus, cluster.profile(size), together_s, on_exit).start()

    def describe(self) -> str:
        return self._cluster.describe()


class _SparkJob(SparkLaunch):
    """One job of Spark.

    together_s  where all tasks start at once: how long to wait for room for them; None: each starts when it can
    """

    def __init__(
        self,
        cluster: SparkCluster,
        tickets: Sequence[Ticket],
        cpus: int,
        profile: ResourceProfile | None,
        together_s: float | None,
        on_exit: OnExit,
    ) -> None:
        super().__init__(tickets, on_exit)
        self._cluster, self._context, self._cpus = cluster, cluster.context, cpus
        self._profile, self._together_s = profile, together_s

    def _explained(self, error: Exception) -> EngineError:
        return EngineError(
            f"Spark gave up the job that holds the workers, which run {self._context.pythonExec!r} (PYSPARK_PYTHON "
            f"chooses another). {java_message(error)}"
        )

    def _fill_seats(self) -> None:
        if self._together_s is not None and not self._has_room(self._together_s):
            return
        # Pool and group belong to a thread.
        if self._cluster.pool is not None:
            self._context.setLocalProperty("spark.scheduler.pool", self._cluster.pool)
        description = f"Maggy experiment {self._tickets[0].experiment}"
        self._context.setJobGroup(self.name, description, interruptOnCancel=True)
        seats = self._context.parallelize(range(len(self._tickets)), len(self._tickets))
        if self._profile is not None:
            seats = seats.withResources(self._profile)
        if self._together_s is not None:
            seats = seats.barrier().mapPartitions(iter)
        seats.foreachPartition(partial(fill_seat, self._tickets, self._cpus))

    def _has_room(self, patience_s: float) -> bool:
        """Wait until all seats can be filled at once; False where the end is asked for before.

        Spark looks only every 15 s whether there is room for a barrier stage, 40 times, and cannot cancel it meanwhile.

        Raises EngineError after `patience_s` seconds.
        """
        deadline = time.monotonic() + patience_s
        pause_s = 0.05
        while (slots := self._cluster.live_slots(self._profile)) is not None and slots < len(self._tickets):
            if time.monotonic() >= deadline:
                raise EngineError(
                    f"{len(self._tickets)} workers are to start at once (barrier=True), and for {patience_s:g} s there "
                    f"was no room for more than {slots}"
                )
            if self._stop_asked.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, 1.0)
        return not self._stop_asked.is_set()

    def _wait_for_tasks(self) -> None:
        """Return when the last task has ended.

        For Spark a job is over before that: when it was cancelled, when one task has failed too often, and when
        speculation had started a twin. No event says so outside of its JVM, hence looks, further and further apart.
        """
        deadline = time.monotonic() + KILL_S
        pause_s = 0.01
        while self._running_tasks() and time.monotonic() < deadline:
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, 0.25)

    def _cancel(self) -> None:
        try:
            self._context.cancelJobGroup(self.name)
        except Exception as error:  # the context was stopped, or its JVM is dead: so are the tasks
            _log.debug("cannot cancel job group %s: %s", self.name, error)

    def _running_tasks(self) -> int:
        """Tasks of the job that still run, as far as Spark knows; 0 where it knows nothing any more."""
        try:
            self._context._jsc.sc().listenerBus().waitUntilEmpty(1000)  # what it shows is what has happened
        except Exception as error:
            _log.debug("cannot wait for Spark's own news: %s", error)
        try:
            tracker = self._context.statusTracker()
            jobs = [job for number in tracker.getJobIdsForGroup(self.name) if (job := tracker.getJobInfo(number))]
            stages = [stage for job in jobs for number in job.stageIds if (stage := tracker.getStageInfo(number))]
        except Exception as error:
            _log.debug("cannot ask Spark for its tasks: %s", error)
            return 0
        return sum(stage.numActiveTasks for stage in stages) + sum(job.status == "RUNNING" for job in jobs)
