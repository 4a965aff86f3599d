"""Worker processes on this machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from maggy.engine.base import Engine, Launched, OnExit
from maggy.engine.cores import available_cores, thread_limits
from maggy.engine.gpus import available_gpus, gpu_amount, own_gpus, room
from maggy.engine.seats import start_seats
from maggy.errors import EngineError
from maggy.ticket import Ticket


class LocalEngine(Engine):
    """One worker process for each seat, with its share of the cores and GPUs.

    A worker that takes a part of a GPU, e.g. 0.5, shares it with others: as many as fit work on each, and neighbouring
    seats have different ones where there are several. Nothing keeps them to their part of its memory.

    The supervisors are threads of this process; the processes they start are killed with it.
    """

    name = "local"
    bind_host = "127.0.0.1"

    def slots(self, resources: Mapping[str, float]) -> int:
        need_cpu, need_gpu = resources.get("cpu", 1), gpu_amount(resources)
        cores, gpus = available_cores(), len(available_gpus())
        if need_cpu > cores or need_gpu > gpus:
            raise EngineError(
                f"this machine has {cores} cores and {gpus} GPUs; one worker asks for {need_cpu:g} cores and "
                f"{need_gpu:g} GPUs (resources_per_worker)"
            )
        by_cpu = int(cores / need_cpu) if need_cpu else cores
        return min(by_cpu, room(gpus, need_gpu)) if need_gpu else by_cpu

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        share = int(resources["cpu"]) if resources.get("cpu", 0) >= 1 else available_cores() // len(tickets)
        need_gpu, gpus = gpu_amount(resources), available_gpus()
        if need_gpu and len(tickets) > room(len(gpus), need_gpu):
            raise EngineError(
                f"{len(tickets)} workers of {need_gpu:g} GPUs each do not fit on this machine's {len(gpus)}: lower "
                f"num_workers"
            )

        def work(index: int, ticket: Ticket) -> None:
            environment = thread_limits(share)
            if need_gpu:
                environment["CUDA_VISIBLE_DEVICES"] = ",".join(own_gpus(gpus, need_gpu, index))
            ticket.enter(environment)

        seats, watcher = start_seats(tickets, work, on_exit)
        return _Supervisors([*seats, watcher])

    def describe(self) -> str:
        return f"This machine has {available_cores()} cores and {len(available_gpus())} GPUs for worker processes."


class _Supervisors(Launched):
    """The threads of one launch."""

    def __init__(self, threads: Sequence[threading.Thread]) -> None:
        self._threads = threads

    def stop(self, grace_s: float) -> None:
        for thread in self._threads:
            thread.join()  # a supervisor kills what does not leave within the grace that the driver told it
