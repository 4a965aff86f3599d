"""One driver, with thousands of connections: what it costs, and how soon it answers.

A process for itself: `python -m benchmarks.scale.loaded_driver RULE WORKERS BEAT_S FLOOD_S FOLDER` prints JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from benchmarks.scale.generator import Fleet
from maggy import Searchspace
from maggy.brain import Brain, Rules
from maggy.driver import Advisor, Decider, Driver, Janitor, Keeper, Logs
from maggy.earlystop import MedianStoppingRule, NoStoppingRule
from maggy.journal import ExperimentFolder, JournalWriter
from maggy.optimizer import RandomSearch
from maggy.ticket import Ticket
from maggy.trial import Objective
from maggy.wire.channel import Item, Listener, Peer
from maggy.wire.opening import open_channel

SEED = 1
PROBES, PAUSE_S = 10, 0.1  # workers whose trials take one point, and the time between two of them
WARM_S = 2.0
FLOODS = {
    "none": [["heartbeat"], ["metrics"], ["heartbeat", "metrics"]],
    "median": [["heartbeat", "metrics"]],
}
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Apart:
    """A fleet in a process of its own, on some cores."""

    def __init__(
        self, tickets: list[Ticket], taken: Synchronized[int], pause_s: float | None, cores: Sequence[int]
    ) -> None:
        context = get_context("spawn")
        self._orders, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(tickets, taken, theirs, pause_s, cores), daemon=True)
        self._process.start()

    def order(self, what: str, *arguments: Any) -> None:
        """Begin something; it goes on until it is done, or the next order comes."""
        self._orders.send((what, *arguments))

    def done(self) -> Any:
        """Wait until that is done; what came of it."""
        return self._orders.recv()

    def end(self) -> None:
        self._orders.send(None)
        self._process.join()


def _serve(
    tickets: list[Ticket],
    taken: Synchronized[int],
    orders: Connection,
    pause_s: float | None,
    cores: Sequence[int],
) -> None:
    os.sched_setaffinity(0, cores)  # first: it has inherited the driver's core
    allow_files()
    Fleet(tickets, taken, orders, pause_s).run()


def main(rule: str, workers: int, beat_s: float, flood_s: float, parent: Path) -> dict[str, Any]:
    """What came of it: seconds of processor time, latencies, bytes."""
    allow_files()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    taken = get_context("spawn").Value("q", 0, lock=False)
    with driving(rule, workers + PROBES, taken, parent) as (driver, tickets):
        before = resident_bytes()
        load = Apart(tickets[PROBES:], taken, None, cores[-1:])
        probe = Apart(tickets[:PROBES], taken, PAUSE_S, cores[-1:])
        begun = perf_counter()
        for fleet in (load, probe):
            fleet.order("open")
        for fleet in (load, probe):
            fleet.done()
        told: dict[str, Any] = {"opened_s": perf_counter() - begun}
        if beat_s:
            load.order("beat")
            probe.order("beat")
            sleep(WARM_S)
            cpu, count, begun = processor_s(driver), taken.value, perf_counter()
            sleep(beat_s)
            told |= spent(driver, cpu, perf_counter() - begun, taken.value - count)
            told["bytes_per_worker"] = (resident_bytes() - before) / (workers + PROBES)
            for fleet in (probe, load):
                fleet.order("latencies")
                fleet.done()
            told["latencies"] = probe.done()
            load.done()
        told["floods"] = {}
        for kinds in FLOODS[rule] if flood_s else ():
            cpu, count, begun = processor_s(driver), taken.value, perf_counter()
            load.order("flood", kinds, flood_s)
            load.done()
            told["floods"][" + ".join(kinds)] = spent(driver, cpu, perf_counter() - begun, taken.value - count)
        driver.interrupt("measured")
        driver.over.wait()
        for fleet in (load, probe):
            fleet.end()
    return told


@contextmanager
def driving(rule: str, workers: int, taken: Synchronized[int], parent: Path) -> Iterator[tuple[Driver, list[Ticket]]]:
    """A driver as `lagom` makes it, whose workers are somebody else's."""
    folder = ExperimentFolder.create(parent / f"loaded-{os.getpid()}", "loaded")
    journal, logs = JournalWriter(folder), Logs(folder.local, None)
    advisor = Advisor(
        RandomSearch(),
        MedianStoppingRule() if rule == "median" else NoStoppingRule(),
        space=Searchspace(x=("DOUBLE", [0.0, 1.0])),
        num_trials=1_000_000,
        objectives=[Objective("Metric", "min")],
        seed=SEED,
        es_min=10,
        warn=print,
    )
    brain = Brain(Rules(num_trials=1_000_000, patience_s=30.0))
    listener, tickets = open_channel("127.0.0.1", None, workers, "")
    count_taken(listener, taken)
    driver = Driver(
        listener=listener,
        decider=Decider(brain, advisor, Keeper(folder.url, None, advisor.book.loss)),
        begin=[],
        journal=journal,
        logs=logs,
        task=b"",
        heartbeat_s=1.0,
        start_timeout_s=inf,
        describe=lambda: "",
        experiment=folder.id,
        janitor=Janitor(folder.url, 0.0, print),
        say=print,
    )
    driver.start()
    yield driver, tickets
    driver.close()
    logs.close()
    journal.close()
    if driver.error is not None:
        raise driver.error


def count_taken(listener: Listener, taken: Synchronized[int]) -> None:
    """Have the fleets see how many messages the driver has taken."""
    receive = listener.receive

    def counting(timeout_s: float) -> list[tuple[Peer, Item]]:
        arrived = receive(timeout_s)
        taken.value += len(arrived)
        return arrived

    listener.receive = counting


def spent(driver: Driver, before: dict[str, float], wall_s: float, messages: int) -> dict[str, Any]:
    """Processor time since then."""
    after = processor_s(driver)
    return {
        "wall_s": wall_s,
        "messages": messages,
        "processor_s": {name: after[name] - before.get(name, 0.0) for name in after},
    }


def processor_s(driver: Driver) -> dict[str, float]:
    """Processor time of this process so far: all of it, its loop, and ZeroMQ's thread, which encrypts."""
    times = {"all": 0.0, "loop": 0.0, "zeromq": 0.0}
    for task in Path("/proc/self/task").iterdir():
        name, _, stat = (task / "stat").read_text().partition("(")[2].rpartition(")")
        used = sum(map(int, stat.split()[11:13])) * TICK_S
        times["all"] += used
        if int(task.name) == driver.native_id:
            times["loop"] += used
        elif name.startswith("ZMQbg/IO"):
            times["zeromq"] += used
    return times


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def allow_files() -> None:
    """Let this process have as many files open as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    rule, workers, beat_s, flood_s, parent = sys.argv[1:]
    print(json.dumps(main(rule, int(workers), float(beat_s), float(flood_s), Path(parent))))
