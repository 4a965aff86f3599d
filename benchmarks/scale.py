"""The driver alone: brain, advisor and journal, with workers that answer at once over the channel in memory."""

from __future__ import annotations

import os
from itertools import pairwise
from math import inf
from pathlib import Path

from benchmarks.measure import Figure, Settings, Target, in_fresh_process
from benchmarks.searches import SEED, SPACE, WORKERS, Watch, WatchedSearch
from maggy.brain import Brain, Rules
from maggy.driver import Advisor, Decider, Driver, Janitor, Keeper, Logs
from maggy.earlystop import MedianStoppingRule, NoStoppingRule
from maggy.journal import ExperimentFolder, JournalWriter
from maggy.trial import Objective
from maggy.wire.memory import MemoryLink, MemoryListener
from maggy.wire.messages import (
    Finished,
    FromDriver,
    GoOnTrial,
    Metrics,
    Ready,
    RunTrial,
    Stopped,
    StopTrial,
    Welcome,
    WorkerHello,
)

WARM = 1000  # trials after which a run counts
POINTS = 10  # of a curve, each judged, in the runs with a rule


class InstantWorker:
    """Takes every step of a trial in the very call that allows it; its metric never changes.

    points  how many it reports and has judged before it returns
    """

    def __init__(self, address: str, seat: int, points: int) -> None:
        self._points = points
        self._link = MemoryLink(address, self._receive)
        self._link.send(WorkerHello(f"instant-{seat}", seat, process=1, host="", pid=0))

    def _receive(self, message: FromDriver) -> None:
        match message:
            case Welcome():
                self._link.send(Ready())
            case RunTrial():
                self._trial, self._attempt, self._metric = message.trial, message.attempt, message.params["x"]
                self._step(1)
            case GoOnTrial():
                self._step(message.step + 1)
            case StopTrial():
                self._link.send(Stopped(self._trial, self._attempt, self._metric))

    def _step(self, step: int) -> None:
        if step > self._points:
            self._link.send(Finished(self._trial, self._attempt, self._metric))
        else:
            self._link.send(Metrics(self._trial, self._attempt, [step], [self._metric], step))


def run(settings: Settings) -> list[Figure]:
    return [
        *growth("no-op trials", settings.pick(100_000, 20_000), 0, settings),
        *growth(f"median rule, {POINTS} points", settings.pick(20_000, 5_000), POINTS, settings),
    ]


def growth(kind: str, trials: int, points: int, settings: Settings) -> list[Figure]:
    chunk = trials // 10
    watches = [in_fresh_process(drive, trials, points, settings.folder) for _ in range(settings.pick(3, 1))]
    return [
        Figure(
            name=f"driver, {kind}, last {chunk:,} of {trials:,}",
            unit="us/trial",
            ours=[us_per_trial(watch.ended_at[-1 - chunk :]) for watch in watches],
            reference=[us_per_trial(watch.ended_at[WARM : WARM + chunk + 1]) for watch in watches],
            beside=f"trials {WARM:,} to {WARM + chunk:,}",
            targets=[Target(of="ratio", at_most=1.25)],
        ),
        Figure(
            name=f"driver, {kind}, memory for each of {trials:,}",
            unit="KiB",
            ours=[watch.kib_per_trial(after=WARM) for watch in watches],
            targets=[] if points else [Target(at_most=2)],
        ),
        Figure(
            name=f"driver, {kind}, longest pause",
            unit="ms",
            ours=[1e3 * max(end - start for start, end in pairwise(watch.ended_at)) for watch in watches],
        ),
    ]


def us_per_trial(ended_at: list[float]) -> float:
    return (ended_at[-1] - ended_at[0]) / (len(ended_at) - 1) * 1e6


def drive(trials: int, points: int, parent: Path) -> Watch:
    """Run a whole search."""
    optimizer = WatchedSearch()
    folder = ExperimentFolder.create(parent / f"scale-{os.getpid()}", "scale")
    journal, logs = JournalWriter(folder), Logs(folder.local, None)
    hub = MemoryListener()
    advisor = Advisor(
        optimizer,
        MedianStoppingRule() if points else NoStoppingRule(),
        space=SPACE,
        num_trials=trials,
        objectives=[Objective("Metric", "min")],
        seed=SEED,
        es_min=10,
        warn=print,
    )
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
    for seat in range(WORKERS):
        InstantWorker(hub.address, seat, points)
    driver.start()
    driver.over.wait()
    driver.close()
    logs.close()
    journal.close()
    if driver.error is not None:
        raise driver.error
    return optimizer.watch
