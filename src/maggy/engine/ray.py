"""Ray: one long task for each seat, which Ray starts again, here or on another node, where its process dies."""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from maggy.engine.base import Engine, Launched, OnExit
from maggy.engine.cores import available_cores, thread_limits
from maggy.engine.gpus import gpu_amount
from maggy.errors import EngineError
from maggy.ticket import Ticket

_log = logging.getLogger(__name__)
_KILL_S = 30.0  # Ray kills a process at once; longer than this, and something is broken
_OBJECT_STORE_BYTES = 100 << 20  # nothing of Maggy's goes through it; Ray would take a third of the memory


class RayEngine(Engine):
    """Workers are tasks of a Ray session.

    address          of the cluster to connect to where this process has no Ray session yet, e.g. "auto"; None for the
                     one that `RAY_ADDRESS` names, else for a cluster started on this machine, which stays for later use
                     until the process ends
    driver_host      address of this machine at which Ray's workers reach it; None for the one that Ray knows it by
    start_timeout_s  how long the driver waits for the first worker

    A worker takes one CPU of Ray's unless `resources_per_worker` says otherwise. While an experiment holds all of them,
    other tasks and actors wait.
    """

    name = "ray"

    def __init__(
        self, address: str | None = None, *, driver_host: str | None = None, start_timeout_s: float = 60.0
    ) -> None:
        self._address, self._driver_host = address, driver_host
        self.start_timeout_s = start_timeout_s

    @property
    def bind_host(self) -> str:
        if self._driver_host is not None:
            return self._driver_host
        ray = self._session()
        own = ray.get_runtime_context().gcs_address in _own
        return "127.0.0.1" if own else str(ray.util.get_node_ip_address())

    def slots(self, resources: Mapping[str, float]) -> int:
        need = _needs(resources)
        slots = sum(_room(node, need) for node in _nodes(self._session()))
        if slots == 0:
            raise EngineError(
                f"a worker needs {need['CPU']:g} CPUs and {need['GPU']:g} GPUs, and no node is that large: "
                f"{self.describe()}. Ask for less in resources_per_worker, or start a larger node."
            )
        return slots

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        import ray

        if not ray.is_initialized():  # a launch that makes up for lost workers starts no other cluster
            raise EngineError("the Ray session of the workers was shut down; start another one.")
        return _Tasks(ray, tickets, _needs(resources), on_exit)

    def describe(self) -> str:
        import ray

        if not ray.is_initialized():
            return "the Ray session was shut down"
        nodes = _nodes(ray)
        cpus, gpus = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
        return (
            f"Ray {ray.__version__}: {len(nodes)} nodes with {cpus:g} CPUs and {gpus:g} GPUs, which have to reach this "
            f"process at {self.bind_host}"
        )

    def _session(self) -> Any:
        """Ray, with a session."""
        if importlib.util.find_spec("ray") is None:
            raise EngineError("engine 'ray' needs ray: pip install 'maggy[ray]'")
        import ray

        if not ray.is_initialized():
            _connect(ray, self._address or os.environ.get("RAY_ADDRESS") or "local")
        if ray.util.client.ray.is_connected():
            raise EngineError(
                "Maggy cannot use a session of Ray Client (ray://): workers connect to this process. Run it on a node "
                "of the cluster, e.g. with `ray job submit`."
            )
        return ray


class _Tasks(Launched):
    """The tasks of one launch, and the thread that waits for them."""

    def __init__(self, ray: Any, tickets: Sequence[Ticket], need: Mapping[str, float], on_exit: OnExit) -> None:
        self._ray, self._on_exit = ray, on_exit
        self._name = f"maggy-{uuid.uuid4().hex}"
        fill = ray.remote(_fill_seat).options(
            num_cpus=need["CPU"], num_gpus=need["GPU"], max_retries=-1, name=self._name
        )
        threads = max(1, int(need["CPU"]))
        self._refs = [fill.remote(ticket, threads) for ticket in tickets]
        self._stop_asked = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, grace_s: float) -> None:
        self._stop_asked.set()
        self._thread.join(max(0.0, grace_s))
        if self._thread.is_alive() and self._ray.is_initialized():
            for ref in self._refs:
                self._ray.cancel(ref, force=True)
            self._thread.join(_KILL_S)
        if self._thread.is_alive():
            _log.warning("Ray did not end the tasks %s within %g s", self._name, _KILL_S)

    def _watch(self) -> None:
        reason: EngineError | None = None
        for ref in self._refs:
            if not self._ray.is_initialized():  # Ray would start another session to answer
                break
            try:
                self._ray.get(ref)
            except (Exception, SystemExit) as error:  # SystemExit in all threads that wait when a session is shut down
                reason = EngineError(f"Ray gave up a task that holds a worker: {error}")
                reason.__cause__ = error
        self._on_exit(None if self._stop_asked.is_set() else reason)


_own: set[str] = set()  # addresses of the sessions that were started here: all of them is on this machine


def _connect(ray: Any, address: str) -> None:
    """Begin a session of this process: on the cluster that is named, or, for "local", on one of its own."""
    small = {"num_cpus": available_cores(), "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    try:
        ray.init(address, logging_level="ERROR", log_to_driver=False, **(small if address == "local" else {}))
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineError(f"there is no Ray at {address!r}: {error}") from error
    if address == "local":
        _own.add(ray.get_runtime_context().gcs_address)


def _needs(resources: Mapping[str, float]) -> dict[str, float]:
    """What one worker takes, under Ray's names."""
    return {"CPU": resources.get("cpu", 1), "GPU": gpu_amount(resources)}


def _nodes(ray: Any) -> list[dict[str, float]]:
    """What each node has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _room(node: Mapping[str, float], need: Mapping[str, float]) -> int:
    """How many workers fit on a node."""
    rooms = (int(round(node.get(kind, 0) / amount, 6)) for kind, amount in need.items() if amount)
    return min(rooms, default=int(node.get("CPU", 0)))


def _fill_seat(ticket: Ticket, threads: int) -> None:
    """What a task does, in a process of Ray's; it has set CUDA_VISIBLE_DEVICES there."""
    ticket.enter(thread_limits(threads))
