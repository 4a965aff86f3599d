"""Dask: one long task for each seat.

Dask starts the tasks, and starts them again elsewhere where one of its workers dies. It cannot end a task that runs, so
tasks end when the driver says so; where one does not, its whole Dask worker is restarted.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import math
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from maggy.engine.base import Engine, Launched, OnExit
from maggy.engine.cores import available_cores, thread_limits
from maggy.engine.gpus import available_gpus, gpu_amount
from maggy.errors import EngineError
from maggy.ticket import Ticket

if TYPE_CHECKING:
    from distributed import Client, Future

_log = logging.getLogger(__name__)
_LEAVE_S = 5.0  # who was told to leave does so within this; a Dask worker may hold tasks of others
_KILL_S = 30.0  # for a Dask worker to be restarted


class DaskEngine(Engine):
    """Workers are tasks of a Dask cluster.

    client           of the cluster, not an asynchronous one; None for the current one of this process, else for the
                     cluster that Dask's configuration names (`DASK_SCHEDULER_ADDRESS`), else for a cluster started on
                     this machine, which stays for later use until the process ends
    driver_host      address of this machine at which the cluster's workers reach it; None for the one from which this
                     process reaches the scheduler
    start_timeout_s  how long to wait for the first worker; a cluster that has just been asked to grow may take a while

    A worker takes one thread of a Dask worker unless `resources_per_worker` says how many; GPUs have to be a resource
    "GPU" of the Dask workers. The client is never closed. While an experiment holds all threads, other tasks wait.
    """

    name = "dask"

    def __init__(
        self, client: Client | None = None, *, driver_host: str | None = None, start_timeout_s: float = 60.0
    ) -> None:
        self._given, self._driver_host = client, driver_host
        self.start_timeout_s = start_timeout_s
        self._found: Client | None = None

    @property
    def _client(self) -> Client:
        if self._found is None:
            self._found = _find_client(self._given)
        return self._found

    @property
    def bind_host(self) -> str:
        if self._driver_host is not None:
            return self._driver_host
        from distributed.comm import get_address_host
        from distributed.utils import get_ip

        address = self._client.scheduler.address
        return "127.0.0.1" if address.startswith("inproc://") else str(get_ip(get_address_host(address)))

    def slots(self, resources: Mapping[str, float]) -> int:
        # Only here, where an experiment begins: a launch that makes up for lost workers looks for no other cluster.
        self._found = None
        cpus, gpus = _size(resources)
        workers = self._workers()
        deadline = time.monotonic() + self.start_timeout_s
        while not workers:
            if time.monotonic() >= deadline:
                raise EngineError(
                    f"no Dask worker has joined for {self.start_timeout_s:g} s: {self.describe()}. Start workers, or "
                    "give them more time: DaskEngine(start_timeout_s=...)."
                )
            time.sleep(0.1)
            workers = self._workers()
        slots = sum(_room(worker, cpus, gpus) for worker in workers.values())
        if slots == 0:
            raise EngineError(
                f"a worker needs {cpus} threads and {gpus:g} GPUs, and no Dask worker is that large: "
                f"{self.describe()}. Ask for less in resources_per_worker, or start Dask workers with more threads "
                "(--nthreads), or that announce their GPUs (--resources GPU=1)."
            )
        return slots

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        self._workers()  # an error where the connection is lost
        with _dask_errors_are_engine_errors():
            return _Tasks(self._client, tickets, *_size(resources), on_exit)

    def describe(self) -> str:
        try:
            workers = self._workers().values()
        except EngineError as error:
            return str(error)
        threads = sum(worker["nthreads"] for worker in workers)
        gpus = sum(worker["resources"].get("GPU", 0) for worker in workers)
        return (
            f"Dask at {self._client.scheduler.address}: {len(workers)} workers with {threads} threads and {gpus:g} "
            f"GPUs, which have to reach this process at {self.bind_host}"
        )

    def _workers(self) -> Mapping[str, Any]:
        """What Dask says of its workers, by address. Raises EngineError where it says nothing any more."""
        if self._client.status != "running":
            raise EngineError(f"the connection to Dask's scheduler is lost, the client is {self._client.status}")
        with _dask_errors_are_engine_errors():
            workers: Mapping[str, Any] = self._client.scheduler_info(n_workers=-1)["workers"]
        return workers


class _Tasks(Launched):
    """The tasks of one launch, and the thread that waits for them."""

    def __init__(self, client: Client, tickets: Sequence[Ticket], cpus: int, gpus: float, on_exit: OnExit) -> None:
        from distributed import as_completed

        self._client, self._cpus, self._gpus, self._on_exit = client, cpus, gpus, on_exit
        self._name = f"maggy-{uuid.uuid4().hex}"
        self._submitted = 0
        self._stop_asked = False
        self._lock = threading.Lock()  # nothing is submitted once the end was asked for
        self._tickets = dict(zip(map(self._submit, tickets, self._homes(len(tickets))), tickets, strict=True))
        self._ended = as_completed(self._tickets, loop=client.loop)
        self._thread = threading.Thread(target=self._watch, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, grace_s: float) -> None:
        with self._lock:
            self._stop_asked = True
        self._thread.join(max(0.0, grace_s))
        if not self._thread.is_alive():
            return
        try:
            self._client.cancel(list(self._tickets))  # who still waits for a thread of Dask will not start
            if held := self._await_end():
                _log.warning("restarting Dask workers that do not let go of their task: %s", ", ".join(held))
                self._client.restart_workers(held, timeout=_KILL_S, raise_for_error=False)
        except Exception as error:  # the connection is lost: nothing can be asked or ended
            _log.warning("cannot ask Dask to end its tasks %s: %s", self._name, error)
        self._thread.join(_KILL_S)

    def _homes(self, number: int) -> list[str | None]:
        """A Dask worker for each seat: that with the most threads left. To Dask, any task is one thread.

        None while there is none: Dask waits for one.
        """
        tasks = self._client.processing()
        left = {address: threads - len(tasks.get(address, ())) for address, threads in self._client.nthreads().items()}
        homes: list[str | None] = []
        for _ in range(number):
            home = max(left, key=left.__getitem__, default=None)
            homes.append(home)
            if home is not None:
                left[home] -= self._cpus
        return homes

    def _submit(self, ticket: Ticket, home: str | None = None) -> Future:
        """home  address of the Dask worker that is best for it; another one takes it once that is gone"""
        place: dict[str, Any] = {"workers": [home], "allow_other_workers": True} if home else {}
        if self._gpus:
            place = {"resources": {"GPU": self._gpus}}
        self._submitted += 1
        key = f"{self._name}-{self._submitted}"
        return self._client.submit(_fill_seat, ticket, self._cpus, self._gpus, key=key, pure=False, **place)

    def _watch(self) -> None:
        reason: EngineError | None = None
        for future in self._ended:
            reason = self._reason(future, self._tickets.pop(future)) or reason
            future.release()  # else Dask would run a task again whose result, though None, is lost with its worker
        self._on_exit(None if self._stop_asked else reason)

    def _reason(self, future: Future, ticket: Ticket) -> EngineError | None:
        """Why a seat is not filled any more; None if it was left as it should be, or is filled again."""
        from distributed import KilledWorker

        if future.status == "finished":
            return None
        if future.status != "error":
            return EngineError("Dask dropped the tasks that hold the workers, or the connection to it is lost.")
        error = future.exception()
        if isinstance(error, KilledWorker):  # Dask gives up a task that was lost with its worker four times
            with self._lock:
                if self._stop_asked:
                    return None
                again = self._submit(ticket)
            self._tickets[again] = ticket
            self._ended.add(again)
            return None
        reason = EngineError(f"a Dask worker cannot run Maggy's workers: {type(error).__name__}: {error}")
        if isinstance(error, ModuleNotFoundError):
            reason = EngineError(f"{reason}. Install Maggy, in the version of the driver, where Dask's workers run.")
        reason.__cause__ = error
        return reason

    def _await_end(self) -> list[str]:
        """Wait a little for the end of the tasks that run; the addresses of Dask workers where one still does."""
        deadline = time.monotonic() + _LEAVE_S
        pause_s = 0.01
        while held := [
            address
            for address, stacks in self._client.call_stack().items()
            if any(str(key).startswith(self._name) for key in stacks)
        ]:
            if time.monotonic() >= deadline:
                break
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, 0.25)
        return held


def _size(resources: Mapping[str, float]) -> tuple[int, float]:
    """Threads of a Dask worker that one of ours takes, and GPUs."""
    return max(1, math.ceil(resources.get("cpu", 1))), gpu_amount(resources)


def _room(worker: Mapping[str, Any], cpus: int, gpus: float) -> int:
    """How many of our workers fit on one of Dask's."""
    threads = int(worker["nthreads"]) // cpus
    return min(threads, int(round(worker["resources"].get("GPU", 0) / gpus, 6))) if gpus else threads


def _find_client(given: Client | None) -> Client:
    if importlib.util.find_spec("distributed") is None:
        raise EngineError("engine 'dask' needs distributed: pip install 'maggy[dask]'")
    import dask
    from distributed import Client

    if given is None:
        try:
            given = Client.current()
        except ValueError:
            if dask.config.get("scheduler-address", None) is None:
                return _own_cluster()
            with _dask_errors_are_engine_errors():
                return Client()
    if given.asynchronous:
        raise EngineError("DaskEngine needs a client that waits for its answers, not one with asynchronous=True.")
    if given.status != "running":
        raise EngineError(f"the Dask client given to DaskEngine is {given.status}; connect another one.")
    return given


# Ctrl-C in a terminal reaches the Dask worker too, which would throw its tasks away while they end by themselves. It is
# handled and not ignored, as what is ignored stays so in the processes that the worker starts.
_HEED_NO_CTRL_C = "import signal; signal.signal(signal.SIGINT, lambda signum, frame: None)"

_own: Client | None = None
_own_lock = threading.Lock()


def _own_cluster() -> Client:
    """One Dask worker on this machine: all seats are threads of it, as the work is done in processes of ours."""
    global _own
    from distributed import Client, LocalCluster

    with _own_lock:
        if _own is None:
            cluster = LocalCluster(
                n_workers=1,
                threads_per_worker=available_cores(),
                resources={"GPU": len(available_gpus())},
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                preload=[_HEED_NO_CTRL_C],
            )
            _own = Client(cluster, set_as_default=False)
            atexit.register(cluster.close)
            atexit.register(_own.close)
        return _own


@contextmanager
def _dask_errors_are_engine_errors() -> Iterator[None]:
    """Raises EngineError in place of what Dask says when its scheduler is gone."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineError(f"the connection to Dask's scheduler is lost: {error}") from error


_gpu_load: Counter[str] = Counter()  # of this process
_gpu_lock = threading.Lock()


@contextmanager
def _own_gpus(amount: float) -> Iterator[list[str]]:
    """Those of a Dask worker's GPUs that are used least; one for a part of a GPU."""
    with _gpu_lock:
        own = sorted(available_gpus(), key=_gpu_load.__getitem__)[: math.ceil(amount)]
        _gpu_load.update(own)
    try:
        yield own
    finally:
        with _gpu_lock:
            _gpu_load.subtract(own)


def _fill_seat(ticket: Ticket, cpus: int, gpus: float) -> None:
    """What a task does, on a thread of a Dask worker."""
    with _own_gpus(gpus) as own:
        ticket.enter(thread_limits(cpus) | ({"CUDA_VISIBLE_DEVICES": ",".join(own)} if gpus else {}))
