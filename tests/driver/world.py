"""A world on a virtual clock: workers that train as the configuration says, and a driver that can be killed."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from driver.helpers import decider, deleted

from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.chronicle import About, Chronicle
from maggy.context.checkpoint import place
from maggy.driver import Advisor, Decider, replay
from maggy.journal import Record
from maggy.trial import Objective, Trial

STEPS = 5
FOLDER = "nowhere"


@dataclass
class State:
    """How far a training has come.

    step  epochs that are done
    sum   of the learning rates that they were done with
    """

    step: int = 0
    sum: float = 0.0


Disk = dict[str, State]
"""What lies in the experiment's folder: checkpoints by place."""


class World:
    """Plays one experiment to its end, or to where its driver is killed. A run that is begun anew has caught up with
    itself at once, so what a driver missed makes no difference to when anything happens.

    make      makes the policies anew, as every driver does
    workers   how many there are; they join in order, and again after a driver was lost
    duration  virtual seconds that a configuration takes for a step
    value     its metric at a step
    judge     whether trials wait for a verdict at each step
    saves     whether they save a checkpoint at every other step and at the last, and go on from it

    disks     what lay on disk after each record
    """

    def __init__(
        self,
        make: Callable[[], Advisor],
        *,
        workers: int,
        duration: Callable[[dict[str, Any]], float],
        value: Callable[[dict[str, Any], State], float],
        judge: bool = False,
        saves: bool = False,
    ) -> None:
        self._make, self._workers, self._duration, self._value = make, workers, duration, value
        self._judge, self._saves = judge, saves
        self._numbers = itertools.count()
        self._journal: list[Record] = []
        self._begin: dict[tuple[int, float | None], tuple[float, int]] = {}  # of each run: when, and after which step
        self._due: list[tuple[float, int, do.Run, State]] = []  # when, order, lease, what it is to come to
        self._stopped: set[tuple[int, int]] = set()
        self._order = itertools.count()
        self.disks: list[Disk] = []
        self.now = 0.0

    def run(
        self, records: Sequence[Record] = (), disks: Sequence[Disk] = (), *, changed: bool = False
    ) -> tuple[Decider, list[Record]]:
        """Play on from these records to the end; return what the driver knows, and the journal.

        disks    what lay on disk after each of them
        changed  whether the policies may decide otherwise than they did
        """
        self._journal, self.disks = list(records), list(disks)
        self._files = dict(disks[-1]) if disks else {}
        self._due.clear()
        self._stopped.clear()
        advisor = self._make()
        self.decider = decider(advisor, FOLDER)
        told = replay(self.decider, records)
        assert changed or told.differences == []
        advisor.draws.go_live()
        self._delete()
        self.now = records[-1].t if records else 0.0
        self._numbers = itertools.count(
            1 + max((r.event.worker for r in records if isinstance(r.event, ev.WorkerJoined)), default=-1)
        )
        for answer in told.open:
            self._happen(answer)
        self._due.clear()  # whoever was told something by the driver before is gone
        started = ev.DriverStarted(epoch=told.epoch + 1, num_trials=advisor.num_trials, promotes=advisor.promotes)
        self._happen(started)
        for seat in range(self._workers):
            self._happen(ev.WorkerJoined(worker=next(self._numbers), seat=seat))
        while self.decider.brain.ending is None:
            self._next()
        return self.decider, self._journal

    def _next(self) -> None:
        if not self._due:  # the optimizer idles although nothing runs
            self.now = self.decider.brain.deadline()
            assert self.now < 1000, "this never ends"
            for event in self.decider.brain.due(self.now):
                self._happen(event)
            return
        self.now, _, lease, state = heapq.heappop(self._due)
        which = {"trial": lease.trial, "attempt": lease.attempt}
        last = STEPS if lease.budget is None else int(lease.budget)
        if (lease.trial, lease.attempt) in self._stopped:
            metric = self.decider.advisor.book.running[lease.trial].final_metric
            self._happen(ev.TrialStopped(**which, metric=metric))
        elif state.step <= last:
            value = self._value(lease.params, state)
            awaits = state.step if self._judge else None
            self._happen(ev.MetricsReported(**which, steps=[state.step], values=[value], awaits=awaits))
            if self._saves and (state.step % 2 == 0 or state.step == last):
                self._save(lease, state)
            self._plan(lease, state)
        else:
            done = State(last, state.sum - lease.params["lr"])
            self._happen(ev.TrialFinished(**which, metric=self._value(lease.params, done)))

    def _save(self, lease: do.Run, state: State) -> None:
        self._files[place(lease.trial, lease.attempt, state.step)] = state
        which = {"trial": lease.trial, "attempt": lease.attempt, "number": state.step, "step": state.step}
        self._happen(ev.CheckpointSaved(**which, size_bytes=1, seconds=0.0))

    def _begins(self, lease: do.Run) -> None:
        checkpoint = self.decider.advisor.book.running[lease.trial].checkpoint
        state = State()
        if checkpoint is not None:
            where = checkpoint.url.removeprefix(f"{FOLDER}/")
            assert where in self._files, "the checkpoint that a trial is to go on from was deleted"
            state = self._files[where]
        self._begin.setdefault((lease.trial, lease.budget), (self.now, state.step))
        self._plan(lease, state)

    def _plan(self, lease: do.Run, state: State) -> None:
        begin, done = self._begin[lease.trial, lease.budget]
        following = State(state.step + 1, state.sum + lease.params["lr"])
        at = max(self.now, begin + (following.step - done) * self._duration(lease.params))
        heapq.heappush(self._due, (at, next(self._order), lease, following))

    def _happen(self, event: ev.AnyEvent) -> None:
        events = deque([event])
        while events:
            event = events.popleft()
            self._journal.append(Record(len(self._journal), self.now, event))
            commands, answers = self.decider.learn(event, now=self.now, t=self.now)
            for command in commands:
                if isinstance(command, do.Run):
                    self._begins(command)
                elif isinstance(command, do.Stop):
                    self._stopped.add((command.trial, command.attempt))
            events.extend(answers)
            self.disks.append(dict(self._files))  # what is to go goes when the turn is on record
        self._delete()
        self.disks[-1] = dict(self._files)

    def _delete(self) -> None:
        for deletion in self.decider.keeper.deletions():
            for where in deleted(self._files, deletion):
                del self._files[where]


def outcome(decider: Decider) -> dict[int, tuple[Any, ...]]:
    """What the user gets, by trial."""
    return _outcome(decider.advisor.book.ended)


def told(records: Sequence[Record]) -> dict[int, tuple[Any, ...]]:
    """The same, as somebody reads it in the journal."""
    objectives = (Objective("Metric", "min"),)
    about = About(
        url=FOLDER,
        name="world",
        kind="HyperparameterOptConfig",
        description="",
        objectives=objectives,
        num_trials=0,
        space=None,
        seed=7,
        engine="none",
        started=0.0,
        raw={},
    )
    chronicle = Chronicle(about)
    for record in records:
        chronicle.add(record)
    return _outcome(chronicle.ended)


def _outcome(ended: Sequence[Trial]) -> dict[int, tuple[Any, ...]]:
    return {
        trial.trial_id: (
            *(trial.state, trial.params, trial.final_metric, trial.best_metric, trial.num_points, trial.origin),
            *(trial.budget, trial.rung, trial.bracket, trial.rungs, trial.parent, trial.notes, trial.reason),
            None if trial.checkpoint is None else trial.checkpoint.step,
        )
        for trial in ended
    }


def decisions(records: Sequence[Record]) -> list[Any]:
    """What was tried and promoted, in order, whatever the numbers of the questions."""
    kinds = ev.Suggested | ev.Promoted
    return [msgspec.structs.replace(record.event, ask=0) for record in records if isinstance(record.event, kinds)]
