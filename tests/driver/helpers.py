"""A driver on a channel in memory, its turns taken by the test; workers that say what they are told to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from maggy.brain import Brain, Rules
from maggy.context.checkpoint import attempt_at
from maggy.driver import Advisor, Decider, Driver, Janitor, Keeper, Logs
from maggy.driver.keeper import Deletion, Remove
from maggy.earlystop import NoStoppingRule, StoppingRule, Verdict
from maggy.journal import ExperimentFolder, JournalWriter, read
from maggy.optimizer import Optimizer
from maggy.searchspace import Searchspace
from maggy.trial import Objective, Trial
from maggy.wire.memory import MemoryLink, MemoryListener
from maggy.wire.messages import FromDriver, SupervisorHello, ToDriver, Welcome, WorkerHello

NOW = 0.0
"""A deadline in the past: a turn with it does not wait."""


class Listed(Optimizer):
    """Suggests what it was given, in order; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.draws: list[int] = []
        self.reports: list[tuple[int | None, float | None]] = []
        self.finalized = False

    def suggest(self, n: int, rng: np.random.Generator) -> Any:
        self.draws.append(int(rng.integers(1000)))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return Trial(dict(answer)) if isinstance(answer, dict) else answer

    def observe(self, report) -> None:
        self.reports.append((report.trial.trial_id, report.loss))

    def finalize(self) -> None:
        self.finalized = True


class StopAbove(StoppingRule):
    """Stops a trial whose newest loss is above a limit."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def judge(self, curve, finished) -> Verdict:
        return Verdict(stop=curve.values[-1] > self.limit, reason=f"above {self.limit}")


def advisor(optimizer: Optimizer, rule=None, **settings: Any) -> Advisor:
    """An advisor on one hyperparameter."""
    settings = {"num_trials": 10, "direction": "min", "seed": 7, "es_min": 0, "warn": _no_warning, **settings}
    settings["objectives"] = [Objective("Metric", settings.pop("direction"))]
    return Advisor(optimizer, rule or NoStoppingRule(), space=Searchspace(lr=("DOUBLE", [0, 1])), **settings)


def _no_warning(line: str) -> None:
    raise AssertionError(f"nobody should have been warned: {line}")


def decider(made: Advisor, folder: str = "nowhere", rules: Rules | None = None) -> Decider:
    """A decider with fresh memory."""
    return Decider(Brain(rules or Rules()), made, Keeper(folder, None, made.book.loss))


def deleted(files: Collection[str], deletion: Deletion) -> set[str]:
    """What the janitor deletes of these places in an experiment's folder."""
    if isinstance(deletion, Remove):
        return {deletion.place} & set(files)
    folder = f"trials/{deletion.trial}/checkpoints/"
    swept = {name for name in files if name.startswith(folder)}
    return {name for name in swept if attempt_at(name.removeprefix(folder)) <= deletion.attempt} - set(deletion.keep)


class Stage:
    """One experiment in a folder."""

    def __init__(
        self,
        folder: Path,
        optimizer: Optimizer,
        rule: StoppingRule | None = None,
        *,
        rules: dict[str, Any] | None = None,
        start_timeout_s: float = 60.0,
        quota_bytes: int | None = None,
        **settings: Any,
    ) -> None:
        self.folder = ExperimentFolder.create(folder, "stage")
        self.listener = MemoryListener()
        self.advisor = advisor(optimizer, rule, **settings)
        self.brain = Brain(Rules(num_trials=self.advisor.num_trials, **(rules or {})))
        self.journal, self.logs = JournalWriter(self.folder), Logs(self.folder.local, None)
        self.said: list[str] = []
        self.keeper = Keeper(self.folder.url, quota_bytes, self.advisor.book.loss)
        self.janitor = Janitor(self.folder.url, 0.0, self.said.append)
        self.welcome = Welcome(b"the task", self.folder.url, "the experiment")
        self.driver = Driver(
            listener=self.listener,
            decider=Decider(self.brain, self.advisor, self.keeper),
            begin=[],
            journal=self.journal,
            logs=self.logs,
            task=b"the task",
            heartbeat_s=2.5,
            start_timeout_s=start_timeout_s,
            describe=lambda: "The stage has no workers at all.",
            experiment="the experiment",
            janitor=self.janitor,
            say=self.said.append,
        )

    def turn(self) -> None:
        """One turn of the loop, on what has arrived."""
        self.driver._turn(NOW)

    def events(self) -> list[Any]:
        """What the journal holds."""
        return [record.event for record in read(self.folder)]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events()]

    def log(self, name: str) -> str:
        """A log file, once everything is written."""
        self.logs.close()
        self.logs = Logs(self.folder.local, None)
        return (self.folder.local / name).read_text()

    def close(self) -> None:
        if self.driver.is_alive():
            self.driver.close()
        self.janitor.close()
        self.logs.close()
        self.journal.close()
        self.listener.close()


class Connection:
    """One end of a line to the driver, with what it was told."""

    def __init__(self, stage: Stage, hello: ToDriver, hear: Callable[[FromDriver], None] | None = None) -> None:
        self.stage = stage
        self._told: list[FromDriver] = []
        self.link = MemoryLink(stage.listener.address, hear or self._told.append)
        self.link.send(hello)

    def say(self, *messages: ToDriver) -> list[FromDriver]:
        """Say these, let the driver take a turn, and return what it answered."""
        for message in messages:
            self.link.send(message)
        self.stage.turn()
        return self.told()

    def told(self) -> list[FromDriver]:
        """What came since the last call."""
        told, self._told[:] = list(self._told), []
        return told


def worker(
    stage: Stage,
    seat: int = 0,
    *,
    holder: str = "h0",
    process: int = 1,
    hear: Callable[[FromDriver], None] | None = None,
) -> Connection:
    """A worker process that has just connected.

    hear  called for each message, in place of writing it down
    """
    return Connection(stage, WorkerHello(holder, seat, process, "node-a", 4711), hear=hear)


def supervisor(stage: Stage, seat: int = 0, *, holder: str = "h0") -> Connection:
    return Connection(stage, SupervisorHello(holder, seat, "node-a"))
