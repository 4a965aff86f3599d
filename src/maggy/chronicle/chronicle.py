"""The whole story of an experiment: every trial with its curve, who ran it when, and why."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.chronicle.about import About
from maggy.chronicle.book import Book, trial_of
from maggy.chronicle.spans import Span
from maggy.chronicle.tally import Tally, reason_of
from maggy.context.checkpoint import place
from maggy.journal import ExperimentFolder, Record, read
from maggy.trial import Checkpoint, Trial, TrialState

_DECISIONS = 1000


@dataclass(frozen=True, slots=True)
class Decision:
    """Why something was done.

    t      seconds since the epoch
    trial  which it was done to; None if to all, or to a worker
    """

    t: float
    trial: int | None
    text: str


@dataclass(slots=True)
class WorkerStory:
    """A worker from its first to its last sign.

    joined, lost  seconds since the epoch; `lost` is None while it is there
    reason        why it was lost
    """

    number: int
    seat: int
    host: str
    pid: int
    joined: float
    lost: float | None = None
    reason: str = ""


class Chronicle:
    """Feed it every record of an experiment in order, or read a folder with `of`.

    about      what is known of it before

    tally      the numbers
    trials     every trial, with what it reported in `curve`, by its number
    workers    every worker that ever was ready, by its number
    decisions  the last 1,000 reasons, oldest first
    drivers    when each driver began, in seconds since the epoch
    version    how many records it has seen
    last_t     time of the last one
    """

    def __init__(self, about: About) -> None:
        self.about = about
        self.tally = Tally.of(about, keep_spans=True)
        self.trials: dict[int, Trial] = {}
        self.workers: dict[int, WorkerStory] = {}
        self.decisions: deque[Decision] = deque(maxlen=_DECISIONS)
        self.drivers: list[float] = []
        self.version = 0
        self.last_t: float | None = None
        self._book = Book(about.objectives, keep_losses=False, keep_metrics=True)

    @classmethod
    def of(cls, folder: str | os.PathLike[str] | ExperimentFolder) -> Chronicle:
        """Read a whole experiment, also while it runs.

        Raises ExperimentDirError if there is none, JournalError if its journal is damaged.
        """
        found = folder if isinstance(folder, ExperimentFolder) else ExperimentFolder.open(folder)
        chronicle = cls(About.read(found))
        for record in read(found):
            chronicle.add(record)
        return chronicle

    @property
    def spans(self) -> list[Span]:
        """Who ran what when: those that are over, in that order, and then those that run."""
        return [*self.tally.spans.closed, *(span for spans in self.tally.spans.open.values() for span in spans)]

    @property
    def ended(self) -> Sequence[Trial]:
        """The trials that have come to a final state, in the order in which they first did."""
        return self._book.ended.all()

    @property
    def best(self) -> Trial | None:
        """The best of the trials by the results that they have now; None without any."""
        number = self.tally.best_trial
        return None if number is None else self._book.with_result(self.trials[number])

    def add(self, record: Record) -> list[do.AnyCommand]:
        """Take in the next record; returns what the machine makes of it."""
        event, t = record.event, record.t
        self.version, self.last_t = self.version + 1, t
        self._take(event, t)
        commands = self.tally.add(record)
        for command in commands:
            self._book.carry_out(command, t)
            if isinstance(command, do.Replace):
                self._lose(command.worker, t, "its process has had its last trial")
        if isinstance(event, ev.WorkerLost | ev.WorkerJoined | ev.GangBroke | ev.DriverStarted):
            self._set_back()
        if reason := reason_of(event):
            self.decisions.append(Decision(t, getattr(event, "trial", None), reason))
        return commands

    def close(self) -> None:
        """Nothing more comes: a trial that was promoted and has not returned since has its result of before."""
        self._book.close()

    def _take(self, event: ev.AnyEvent, t: float) -> None:
        """What has to be noted before the machine draws its conclusions."""
        brain = self.tally.brain
        match event:
            case ev.DriverStarted():
                for worker in self.workers.values():
                    self._lose(worker.number, self.tally.spans.heard_t or t, "its driver was lost")
                self.drivers.append(t)
            case ev.WorkerJoined():
                if event.replaces is not None:
                    self._lose(event.replaces, t, "another process took its seat")
                self.workers[event.worker] = WorkerStory(event.worker, event.seat, event.host, event.pid, t)
            case ev.WorkerLost():
                self._lose(event.worker, t, event.reason)
                self.decisions.append(Decision(t, None, f"worker {event.worker} is gone: {event.reason}"))
            case ev.GangBroke():
                self.decisions.append(Decision(t, event.trial, f"trial {event.trial} set back: {event.reason}"))
            case ev.Suggested():
                trial = self.trials[event.trial] = trial_of(event)
                self._book.open(event.trial, trial)
            case ev.Promoted():
                self._book.promote(event)
            case ev.CheckpointSaved() if brain.goes_on_from(event.trial, event.attempt):
                self.trials[event.trial].checkpoint = Checkpoint(
                    url=f"{self.about.url}/{place(event.trial, event.attempt, event.number)}",
                    attempt=event.attempt,
                    step=event.step,
                    size_bytes=event.size_bytes,
                    seconds=event.seconds,
                )
            case ev.CheckpointDropped():
                self.trials[event.trial].checkpoint = None
            case ev.MetricsReported() | ev.TrialFinished() | ev.TrialStopped() | ev.TrialFailed():
                if brain.holds(event.trial, event.attempt):
                    self._book.hear(event)

    def _set_back(self) -> None:
        """What has lost its workers waits again."""
        for trial_id, trial in self._book.running.items():
            live = self.tally.brain.live.get(trial_id)
            if live is not None and live.state is TrialState.PENDING:
                trial.state = TrialState.PENDING

    def _lose(self, number: int, t: float, reason: str) -> None:
        worker = self.workers.get(number)
        if worker is not None and worker.lost is None:
            worker.lost, worker.reason = t, reason
