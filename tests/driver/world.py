"""A world on a virtual clock: workers that train as the configuration says, and a driver that can be killed."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from driver.helpers import decider

from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.driver import Advisor, Decider, replay
from maggy.journal import Record

STEPS = 5


class World:
    """Plays one experiment to its end, or to where its driver is killed.

    make      makes the policies anew, as every driver does
    workers   how many there are; they join in order, and again after a driver was lost
    duration  virtual seconds that a configuration takes for a step
    value     its metric at a step
    """

    def __init__(
        self,
        make: Callable[[], Advisor],
        *,
        workers: int,
        duration: Callable[[dict[str, Any]], float],
        value: Callable[[dict[str, Any], int], float],
        judge: bool = False,
    ) -> None:
        self._make, self._workers, self._duration, self._value, self._judge = make, workers, duration, value, judge
        self._numbers = itertools.count()
        self._journal: list[Record] = []
        self._begin: dict[int, float] = {}  # trial -> when it was begun; time stands still while there is no driver
        self._due: list[tuple[float, int, do.Run, int]] = []  # when, order, lease, step
        self._stopped: set[tuple[int, int]] = set()
        self._order = itertools.count()
        self.now = 0.0

    def run(self, records: Sequence[Record] = ()) -> tuple[Decider, list[Record]]:
        """Play on from these records to the end; return what the driver knows, and the journal."""
        self._journal = list(records)
        self._due.clear()
        self._stopped.clear()
        advisor = self._make()
        self.decider = decider(advisor)
        told = replay(self.decider, records)
        assert told.differences == []
        self.now = records[-1].t if records else 0.0
        self._numbers = itertools.count(
            1 + max((r.event.worker for r in records if isinstance(r.event, ev.WorkerJoined)), default=-1)
        )
        for answer in told.open:
            self._happen(answer)
        self._due.clear()  # whoever was told something by the driver before is gone
        self._happen(ev.DriverStarted(epoch=told.epoch + 1, num_trials=advisor.num_trials))
        for seat in range(self._workers):
            self._happen(ev.WorkerJoined(worker=next(self._numbers), seat=seat))
        while self.decider.brain.ending is None:
            self._next()
        return self.decider, self._journal

    def _next(self) -> None:
        self.now, _, lease, step = heapq.heappop(self._due)
        which = {"trial": lease.trial, "attempt": lease.attempt}
        value = self._value(lease.params, step)
        if (lease.trial, lease.attempt) in self._stopped:
            self._happen(ev.TrialStopped(**which, metric=self._value(lease.params, step - 1)))
        elif step <= STEPS:
            awaits = step if self._judge else None
            self._happen(ev.MetricsReported(**which, steps=[step], values=[value], awaits=awaits))
            self._plan(lease, step + 1)
        else:
            self._happen(ev.TrialFinished(**which, metric=self._value(lease.params, STEPS)))

    def _plan(self, lease: do.Run, step: int) -> None:
        at = max(self.now, self._begin[lease.trial] + step * self._duration(lease.params))
        heapq.heappush(self._due, (at, next(self._order), lease, step))

    def _happen(self, event: ev.AnyEvent) -> None:
        events = deque([event])
        while events:
            event = events.popleft()
            self._journal.append(Record(len(self._journal), self.now, event))
            commands, answers = self.decider.learn(event, now=self.now, t=self.now)
            for command in commands:
                if isinstance(command, do.Run):
                    self._begin.setdefault(command.trial, self.now)
                    self._plan(command, 1)
                elif isinstance(command, do.Stop):
                    self._stopped.add((command.trial, command.attempt))
            events.extend(answers)


def outcome(decider: Decider) -> dict[int, tuple[Any, ...]]:
    """What the user gets, by trial."""
    return {
        trial.trial_id: (trial.state, trial.params, trial.final_metric, trial.best_metric, trial.num_points)
        for trial in decider.advisor.book.ended
    }
