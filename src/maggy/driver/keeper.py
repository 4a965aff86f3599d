"""Which checkpoints are kept: decided from events alone, so that a resumed driver decides alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from maggy.brain.events import CheckpointDropped, CheckpointSaved
from maggy.context.checkpoint import place
from maggy.trial import Checkpoint, Trial, TrialState


@dataclass(frozen=True)
class Remove:
    """Delete this checkpoint, by its place in the experiment's folder."""

    place: str


@dataclass(frozen=True)
class Sweep:
    """Delete every checkpoint of a trial that has ended, also unfinished ones, but for these places.

    late  a worker that was given up may still write there
    """

    trial: int
    keep: tuple[str, ...]
    late: bool


@dataclass(frozen=True)
class Spare:
    """A trial that had ended runs on: what was to be swept late is needed."""

    trial: int


Deletion = Remove | Sweep | Spare


class Keeper:
    """Keeps the last checkpoint of each trial, as far as the quota goes.

    Those of trials that have not ended are needed, and so is the best trial's. When the others do not fit, they go:
    of failed and lost trials first, then those with the largest loss.

    folder       path or URL of the experiment's folder
    quota_bytes  what all may take together; None: anything
    loss         a metric as a loss
    """

    def __init__(self, folder: str, quota_bytes: int | None, loss: Callable[[float], float]) -> None:
        self._folder, self._quota, self._loss = folder, inf if quota_bytes is None else quota_bytes, loss
        self._last: dict[int, CheckpointSaved] = {}  # by trial
        self._trials: dict[int, Trial] = {}  # that have a checkpoint
        self._ranks: dict[int, float] = {}  # losses of the trials that have ended; infinity without a result
        self._best: int | None = None
        self._lent: dict[int, CheckpointSaved] = {}  # another trial's checkpoint that this one begins with
        self._deletions: list[Deletion] = []
        self._used = False
        self.total_bytes = 0

    def saved(self, event: CheckpointSaved, trial: Trial | None) -> None:
        """A checkpoint was saved; `trial` is None if by an attempt that does not count any more."""
        self._used = True
        last = self._last.get(event.trial)
        if last is not None and (last.attempt, last.number) == (event.attempt, event.number):
            return  # told twice
        if trial is None or (last is not None and (last.attempt, last.number) > (event.attempt, event.number)):
            self._deletions.append(Remove(_place(event)))
            return
        if last is not None:
            self._forget(event.trial)
            self._discard(last)
        self._give_back(event.trial)
        self._last[event.trial], self._trials[event.trial] = event, trial
        self.total_bytes += event.size_bytes
        trial.checkpoint = Checkpoint(
            url=f"{self._folder}/{_place(event)}",
            attempt=event.attempt,
            step=event.step,
            size_bytes=event.size_bytes,
            seconds=event.seconds,
        )

    def ended(self, trial: Trial) -> None:
        """A trial has reached its final state."""
        number = trial.trial_id
        assert number is not None
        self._give_back(number)
        self._ranks[number] = inf
        if trial.final_metric is not None:  # failed and lost trials have none
            self._ranks[number] = loss = self._loss(trial.final_metric)
            if self._best == number:  # it was promoted, and may have become worse
                self._best = min(self._ranks, key=lambda each: self._ranks[each])
            elif self._best is None or loss < self._ranks.get(self._best, inf):  # of equals, the earlier is better
                self._best = number
        late = trial.attempt > 0 or trial.state is TrialState.LOST
        if late or (self._used and trial.state is TrialState.STOPPED):  # its worker may have died before it could stop
            kept = [saved for saved in (self._last.get(number), *self._lent.values()) if saved is not None]
            places = tuple(_place(saved) for saved in kept if saved.trial == number)
            self._deletions.append(Sweep(number, places, late))

    def runs_on(self, trial: int) -> None:
        """A trial that had ended was promoted: its checkpoint is needed again."""
        self._ranks.pop(trial, None)
        if self._used:
            self._deletions.append(Spare(trial))

    def lend(self, trial: Trial, parent: int) -> None:
        """A new trial begins with the last checkpoint of another, which is kept until it has saved its own."""
        number = trial.trial_id
        assert number is not None
        if (last := self._last.get(parent)) is not None:
            self._lent[number] = last
            trial.checkpoint = self._trials[parent].checkpoint

    def surplus(self) -> list[CheckpointDropped]:
        """What has to go for the quota; tell `dropped` of each."""
        over = self.total_bytes - self._quota
        if over <= 0:
            return []
        needed = {self._best, *(lent.trial for lent in self._lent.values())}
        spare = [number for number in self._last if number in self._ranks and number not in needed]
        drops = []
        for number in sorted(spare, key=lambda number: self._ranks[number], reverse=True):
            last = self._last[number]
            drops.append(CheckpointDropped(trial=number, attempt=last.attempt, number=last.number))
            over -= last.size_bytes
            if over <= 0:
                break
        return drops

    def dropped(self, event: CheckpointDropped) -> None:
        """A checkpoint has to go."""
        self._discard(self._forget(event.trial))

    def deletions(self) -> list[Deletion]:
        """What is to be deleted, in order; to be done only when everything that led to it is on record."""
        deletions, self._deletions = self._deletions, []
        return deletions

    @property
    def over_quota(self) -> bool:
        """Whether what is needed alone takes more than the quota, once `surplus` has nothing more to say."""
        return self.total_bytes > self._quota

    def _give_back(self, trial: int) -> None:
        lent = self._lent.pop(trial, None)
        if lent is not None and lent is not self._last.get(lent.trial):
            self._discard(lent)

    def _discard(self, saved: CheckpointSaved) -> None:
        if not any(lent is saved for lent in self._lent.values()):
            self._deletions.append(Remove(_place(saved)))

    def _forget(self, trial: int) -> CheckpointSaved:
        last = self._last.pop(trial)
        self._trials.pop(trial).checkpoint = None
        self.total_bytes -= last.size_bytes
        return last


def _place(event: CheckpointSaved) -> str:
    return place(event.trial, event.attempt, event.number)
