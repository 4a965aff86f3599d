"""What trackers cost an experiment of 10,000 trials of 200 ms: the wall time to the last trial, with all and without.

    .venv-trackers/bin/python -m benchmarks.trackers

The workers are simulated in a thread of the driver's process, so that whatever the trackers take from that process
shows; each of 64 sleeps through its trials, and reports five points of each. What the trackers have still to write
after the last trial is reported apart: how many records, and how many a second they deal with then.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import platform
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from math import inf
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from maggy import Searchspace
from maggy.brain import Brain, Rules
from maggy.chronicle import About
from maggy.driver import Advisor, Decider, Driver, Janitor, Keeper, Logs
from maggy.earlystop import NoStoppingRule
from maggy.journal import ExperimentFolder, JournalWriter, Record
from maggy.optimizer import RandomSearch
from maggy.tracking.names import to_trackers
from maggy.tracking.progress import Progress
from maggy.tracking.scene import Scene
from maggy.tracking.tracker import Tracking
from maggy.trial import Objective
from maggy.wire.memory import MemoryLink, MemoryListener
from maggy.wire.messages import Finished, FromDriver, Metrics, Ready, RunTrial, Welcome, WorkerHello

WORKERS, POINTS, TRIAL_S = 64, 5, 0.2
SEED, SPACE = 1, Searchspace(x=("DOUBLE", [0.0, 1.0]))
RESULTS = Path(__file__).parent / "results" / "trackers.json"


class Sleepers:
    """Workers that sleep through their trials, all in one thread; each broadcasts now and then."""

    def __init__(self, address: str) -> None:
        self._order = itertools.count()
        self._due: list[tuple[float, int, MemoryLink, RunTrial, int]] = []
        self._changed = threading.Condition()
        self._links = [self._join(address, seat) for seat in range(WORKERS)]
        self.last = self.first = 0.0
        self.waits_s: list[float] = []  # from the end of a trial to the beginning of the worker's next
        threading.Thread(target=self._work, daemon=True).start()

    def _join(self, address: str, seat: int) -> MemoryLink:
        ended_at: list[float] = []

        def receive(message: FromDriver) -> None:
            if isinstance(message, Welcome):
                link.send(Ready())
            elif isinstance(message, RunTrial):
                now = time.perf_counter()
                self.first = self.first or now
                if ended_at:
                    self.waits_s.append(now - ended_at.pop())
                self._later(now, link, message, 1)

        link = MemoryLink(address, receive)
        link.ended_at = ended_at  # type: ignore[attr-defined]
        link.send(WorkerHello(f"sleeper-{seat}", seat, process=1, host="", pid=0))
        return link

    def _later(self, begun: float, link: MemoryLink, order: RunTrial, point: int) -> None:
        with self._changed:
            due = begun + point * TRIAL_S / POINTS
            heapq.heappush(self._due, (due, next(self._order), link, order, point))
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.perf_counter():
                    self._changed.wait(self._due[0][0] - time.perf_counter() if self._due else None)
                due, _, link, order, point = heapq.heappop(self._due)
            metric = order.params["x"] + 1 / point
            link.send(Metrics(order.trial, order.attempt, [point], [metric]))
            if point < POINTS:
                self._later(due - point * TRIAL_S / POINTS, link, order, point + 1)
            else:
                self.last = time.perf_counter()
                link.ended_at.append(self.last)  # type: ignore[attr-defined]
                link.send(Finished(order.trial, order.attempt, metric))


def drive(trials: int, track: list[str], drain_s: float) -> dict[str, Any]:
    """Run a whole search; what it took, and what the trackers had left."""
    with tempfile.TemporaryDirectory() as parent:
        os.chdir(parent)
        os.environ |= {"WANDB_MODE": "offline", "MLFLOW_TRACKING_URI": f"sqlite:///{parent}/mlflow.db"}
        return _drive(Path(parent), trials, track, drain_s)


def in_fresh_process(*arguments: Any) -> dict[str, Any]:
    """`drive` where nothing was run before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(drive, *arguments).result()


def _drive(parent: Path, trials: int, track: list[str], drain_s: float) -> dict[str, Any]:
    folder = ExperimentFolder.create(parent / "experiment", "trackers")
    journal, logs, hub = JournalWriter(folder), Logs(folder.local, None), MemoryListener()
    objective = Objective("Metric", "min")
    advisor = Advisor(
        RandomSearch(),
        NoStoppingRule(),
        space=SPACE,
        num_trials=trials,
        objectives=[objective],
        seed=SEED,
        es_min=10,
        warn=print,
    )
    config = {"name": "trackers", "optimization_key": "Metric", "direction": "min"}
    config["searchspace"] = json.loads(SPACE.json())
    raw = {"id": folder.id, "config": config, "kind": "HyperparameterOptConfig", "num_trials": trials}
    about = About.of(folder.url, {**raw, "seed": SEED, "engine": "simulated", "started": time.time()})

    def fed() -> deque[Record]:
        journal.feeds.append(deque())
        return journal.feeds[-1]

    trackings = [Tracking(tracker, about, fed(), print) for tracker in to_trackers(track)]
    progress = Progress(Scene(about), fed(), trackings) if track else None
    driver = Driver(
        listener=hub,
        decider=Decider(Brain(Rules(num_trials=trials)), advisor, Keeper(folder.url, None, advisor.book.loss)),
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
    if progress is not None:
        progress.__enter__()
    for tracking in trackings:
        tracking.start()
    sleepers = Sleepers(hub.address)
    driver.start()
    driver.over.wait()
    driver.close()
    logs.close()
    journal.close()
    for tracking in trackings:
        tracking.conclude()
    left = {tracking.name: tracking.left for tracking in trackings}
    draining = {tracking.name: drained(tracking, drain_s) for tracking in trackings}
    for tracking in trackings:
        tracking.give_up()
    for tracking in trackings:
        tracking.wait(60)
    if progress is not None:
        progress.__exit__(None, None, None)
    waits = sorted(sleepers.waits_s)
    return {
        "wall_s": sleepers.last - sleepers.first,
        "records": journal.count,
        "wait_ms": {"median": 1e3 * median(waits), "p99": 1e3 * waits[int(0.99 * len(waits))], "most": 1e3 * waits[-1]},
        "left": left,
        "draining": draining,
    }


def drained(tracking: Tracking, limit_s: float) -> dict[str, float]:
    """Seconds that a tracker took for the rest; or how many records a second it dealt with, within the limit."""
    begun, left = time.perf_counter(), tracking.left
    if tracking.wait(limit_s):
        return {"seconds": time.perf_counter() - begun}
    return {"records_per_s": (left - tracking.left) / limit_s}


def main() -> None:
    """Print the figures as JSON, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--drain", type=float, default=600.0, help="seconds to wait for each tracker at most")
    parser.add_argument("--track", default="tensorboard,mlflow:trackers,wandb:trackers")
    given = parser.parse_args()
    track = given.track.split(",")
    without, with_all = [], []
    for number in range(given.rounds):
        turn = [(without, []), (with_all, track)]
        for answers, tracked in turn if number % 2 == 0 else reversed(turn):
            answers.append(in_fresh_process(given.trials, tracked, given.drain))
    ratios = [ours["wall_s"] / bare["wall_s"] for ours, bare in zip(with_all, without, strict=True)]
    figures = {
        "trials": given.trials,
        "workers": WORKERS,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "track": track,
        "ratio": median(ratios),
        "with": with_all,
        "without": without,
    }
    text = json.dumps(figures, indent=2)
    print(text)
    RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
