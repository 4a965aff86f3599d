"""Workers on executors that are reached over Spark Connect: one query with a long task for each seat.

Over Spark Connect nothing is known of the cluster: neither its slots, nor the address by which executors would reach
this machine, nor what its tasks are doing. What has to be known the user says.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from maggy.engine.base import Engine, Launched, OnExit
from maggy.engine.spark_cluster import find_connect_session, refuse_impatience
from maggy.engine.spark_launch import SparkLaunch, fill_seat
from maggy.errors import ConfigError, EngineError
from maggy.ticket import Ticket

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_DIAL_S = 10.0  # how long an executor tries to reach the driver


class ConnectSeats(Engine):
    """What `SparkEngine` is for a session of Spark Connect; see there."""

    name = "spark"

    def __init__(
        self, session: SparkSession | None, driver_host: str | None, *, slots: int | None, start_timeout_s: float
    ) -> None:
        self._given, self._host, self._slots = session, driver_host, slots
        self.start_timeout_s = start_timeout_s

    @property
    def bind_host(self) -> str:
        """The address of this machine that `driver_host` names."""
        host = self.advertised_host
        try:
            address = host if ":" in host else socket.gethostbyname(host)
            socket.create_server((address, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError as error:
            raise EngineError(
                f"the driver cannot listen at driver_host={host!r}: {error}. It has to be an address of this machine "
                "by which the executors reach it; behind NAT there is none: run the program beside the cluster."
            ) from error
        return address

    @property
    def advertised_host(self) -> str:
        """The name or address by which the user says that executors reach the driver."""
        if self._host is None:
            raise EngineError(
                "over Spark Connect the workers on the executors connect to this program, and Spark does not tell how "
                "they reach it. Say it: engine=SparkEngine(driver_host='<name or address of this machine>', slots=4); "
                "or use engine='local'."
            )
        return self._host

    def slots(self, resources: Mapping[str, float]) -> int | None:
        if resources:
            raise ConfigError(
                "resources_per_worker: over Spark Connect a worker takes what a task of the session takes "
                "(spark.task.cpus); leave it out"
            )
        refuse_impatience(find_connect_session(self._given).conf.get)
        return self._slots

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        return _ConnectQuery(find_connect_session(self._given), tickets, on_exit).start()

    def describe(self) -> str:
        session = find_connect_session(self._given)
        return (
            f"Spark {session.version} over Spark Connect, which does not tell how many tasks it runs at once. Its "
            f"executors have to reach this program at {self._host} ({self.bind_host} here), at a port of the system's "
            "choice. Where they do not, look for a firewall or NAT between; where all slots are taken, wait or lower "
            "num_workers."
        )


class _ConnectQuery(SparkLaunch):
    """One query."""

    def __init__(self, session: Any, tickets: Sequence[Ticket], on_exit: OnExit) -> None:
        super().__init__(tickets, on_exit)
        self._session = session

    def _fill_seats(self) -> None:
        self._session.addTag(self.name)  # belongs to this thread
        seats = self._session.range(0, len(self._tickets), 1, len(self._tickets))
        seats.mapInArrow(partial(_fill_seat, self._tickets), "slot long").collect()

    def _explained(self, error: Exception) -> EngineError:
        return EngineError(f"Spark gave up the query that holds the workers. {_message(error)}")

    def _cancel(self) -> None:
        try:
            self._session.interruptTag(self.name)
        except Exception as error:  # the session was stopped, or the server is gone
            _log.debug("cannot interrupt the query %s: %s", self.name, error)


def _fill_seat(tickets: Sequence[Ticket], rows: Iterable[Any]) -> Iterator[Any]:
    """What a task does, on an executor."""
    for _ in rows:
        pass
    _dial(tickets[0].address)
    fill_seat(tickets, None, ())
    return iter(())


def _dial(address: str) -> None:
    """Show that the driver can be reached from here: a worker itself would try for ever, and nobody would know."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_DIAL_S).close()
    except OSError as error:
        raise ConnectionError(
            f"the executor on {socket.gethostname()} cannot reach the driver at {host}, port {port}: {error}. "
            "Is driver_host an address of the driver that is known there? Is a firewall or NAT between them?"
        ) from None


def _message(error: BaseException) -> str:
    """What an error from Spark says, without the frames of Java that it says it from."""
    text = str(error).partition("\n\nJVM stacktrace:")[0].strip()
    if "No module named 'maggy'" in text:
        text = f"Maggy is not installed where the executors run: install it there, the same version. {text}"
    return text
