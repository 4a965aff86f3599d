"""Spark: workers on its executors, or beside the program where trials themselves start Spark jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

from maggy.engine.base import Engine, Launched, OnExit
from maggy.engine.spark_cluster import connect_is_active, is_connect
from maggy.engine.spark_connect import ConnectSeats
from maggy.engine.spark_driver import DriverSeats
from maggy.engine.spark_executors import ExecutorSeats
from maggy.errors import ConfigError
from maggy.ticket import SUPERVISOR, THREAD_WORKER, Ticket

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Where = Literal["executors", "driver"]
_PATIENCE_S, _CONNECT_PATIENCE_S = 120.0, 60.0  # how long the driver waits for the first worker


class SparkEngine(Engine):
    """Workers are tasks of a Spark session, or threads beside it.

    session          a SparkSession, classic or of Spark Connect; None for the active one, else for a cluster started on
                     this machine, which stays for later use until the process ends, like any session from `getOrCreate`
    where            "executors": each worker is a long task; "driver": a thread of this process, for a training
                     function that starts Spark jobs itself, e.g. with `pyspark.ml`
    driver_host      of a Spark Connect session: the address of this machine by which executors reach it
    slots            how many workers there are where `num_workers` does not say it: on the driver, None for 4, or for
                     the number of tasks that the cluster runs at once where that is less; over Spark Connect, which
                     does not tell it, None where `num_workers` always does. A classic session tells its own
    cores            of the cluster that is started on this machine; None for all that this process may use
    barrier          start all workers at once or none, in a barrier stage; where one task dies, all are started again.
                     Slots for all have to be there; dynamic allocation is refused
    start_timeout_s  how long the driver waits for the first worker; a busy cluster may take a while to grant a slot.
                     None for 120 s, and 60 s over Spark Connect

    Spark is looked up, or started, when it is first needed, and looked up again by `slots` after it was stopped. While
    an experiment holds all slots, other jobs of the same session wait: leave some free with `num_workers` where the
    program itself runs jobs.

    Raises ConfigError for arguments that do not go together.
    """

    def __init__(
        self,
        session: SparkSession | None = None,
        *,
        where: Where = "executors",
        driver_host: str | None = None,
        slots: int | None = None,
        cores: int | None = None,
        barrier: bool = False,
        start_timeout_s: float | None = None,
    ) -> None:
        for name, value in {"slots": slots, "cores": cores}.items():
            if value is not None and value < 1:
                raise ConfigError(f"SparkEngine: {name} must be at least 1, not {value}")
        if where not in get_args(Where):
            raise ConfigError(f"SparkEngine: where must be 'executors' or 'driver', not {where!r}")
        if where == "driver" and (barrier or driver_host is not None):
            name = "barrier" if barrier else "driver_host"
            raise ConfigError(f"SparkEngine: {name} is about workers on executors; leave it out with where='driver'")
        self._session, self._where, self._driver_host, self._slots = session, where, driver_host, slots
        self._cores, self._barrier, self._patience_s = cores, barrier, start_timeout_s
        self.entry, self.name = (THREAD_WORKER, "spark-driver") if where == "driver" else (SUPERVISOR, "spark")

    @cached_property
    def _seats(self) -> Engine:
        session = self._session
        if self._where == "driver":
            return DriverSeats(session, cores=self._cores, slots=self._slots)
        if connect_is_active() if session is None else is_connect(session):
            if self._barrier:
                raise ConfigError("SparkEngine: there is no barrier=True over Spark Connect; leave it out")
            patience_s = _CONNECT_PATIENCE_S if self._patience_s is None else self._patience_s
            return ConnectSeats(session, self._driver_host, slots=self._slots, start_timeout_s=patience_s)
        if self._driver_host is not None:
            raise ConfigError("SparkEngine: driver_host is for Spark Connect; this session knows its own; leave it out")
        if self._slots is not None:
            raise ConfigError(
                "SparkEngine: this session knows its slots; leave slots out, and say num_workers for fewer"
            )
        patience_s = _PATIENCE_S if self._patience_s is None else self._patience_s
        return ExecutorSeats(session, cores=self._cores, barrier=self._barrier, start_timeout_s=patience_s)

    @property
    def start_timeout_s(self) -> float:  # type: ignore[override]  # the base class has a plain attribute
        """How long the driver waits for the first worker."""
        return self._seats.start_timeout_s

    @property
    def bind_host(self) -> str | None:
        """Where the workers are on executors, an address of this machine."""
        return self._seats.bind_host

    @property
    def advertised_host(self) -> str | None:
        """Where the workers are on executors, the name or address by which they reach the driver."""
        return self._seats.advertised_host

    def slots(self, resources: Mapping[str, float]) -> int | None:
        return self._seats.slots(resources)

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        return self._seats.launch(tickets, resources, on_exit)

    def describe(self) -> str:
        return self._seats.describe()
