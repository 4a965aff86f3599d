"""Which checkpoints are kept: decided from events alone, so that a resumed driver decides alike."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan, nan

from maggy.brain.events import CheckpointDropped, CheckpointSaved
from maggy.context.checkpoint import place
from maggy.trial import Checkpoint, Trial, TrialState


@dataclass(frozen=True)
class Remove:
    """Delete this checkpoint, by its place in the experiment's folder."""

    place: str


@dataclass(frozen=True)
class Sweep:
    """Delete what a trial that has ended has left, also unfinished checkpoints, but for these places.

    attempt  its last; what later ones save, if it is promoted, is not touched
    late     a worker that was given up may still write there
    """

    trial: int
    attempt: int
    keep: tuple[str, ...]
    late: bool


Deletion = Remove | Sweep


class Keeper:
    """Keeps the checkpoint that each trial would go on from, as far as the quota goes.

    That is the last one it saved, or another trial's that it was lent and has not replaced. Of a promoted trial the one
    that it returned with is kept too, until it has ended again: others may begin with it, and if the trial fails it
    belongs to its result.

    Those of trials that have not ended are needed, and so is the best trial's. When the others do not fit, they go:
    of failed and lost trials first, then those with the largest loss.

    folder       path or URL of the experiment's folder
    quota_bytes  what all may take together; None: anything
    loss         a metric as a loss

    total_bytes  what all take together
    """

    def __init__(self, folder: str, quota_bytes: int | None, loss: Callable[[float], float]) -> None:
        self._folder, self._quota, self._loss = folder, inf if quota_bytes is None else quota_bytes, loss
        self._last: dict[int, CheckpointSaved] = {}  # what each trial would go on from
        self._returned: dict[int, CheckpointSaved | None] = {}  # what promoted trials returned with
        # By the trial that saved it, as often as it stands above; but for what the trial itself would go on from.
        self._elsewhere: dict[int, list[CheckpointSaved]] = {}
        self._losses = array("d")  # by trial, inf of those that failed or were lost, NaN of those that have not ended
        self._first_ended = array("q")  # by trial: how many had ended before this one did first; -1: it has not
        self._num_ended = 0
        self._best: int | None = None  # of equals, the one that ended first
        self._best_is_known = True  # not so after the best was promoted, until somebody asks
        self._deletions: list[Deletion] = []
        self._used = False
        self.total_bytes = 0

    def saved(self, event: CheckpointSaved, trial: Trial | None) -> None:
        """A checkpoint was saved; `trial` is None if by an attempt that does not count any more."""
        self._used = True
        if event in self._held(event.trial):
            return  # told twice
        last = self._last.get(event.trial)
        newer = last is not None and last.trial == event.trial and _order(last) > _order(event)
        if trial is None or newer:
            self._deletions.append(Remove(_place(event)))
        else:
            self._go_on_from(trial, event)

    def ended(self, trial: Trial, *, fell_back: bool = False) -> None:
        """A trial has reached its final state.

        fell_back  it failed after it was promoted: its result is that of before
        """
        number = _number(trial)
        returned = self._returned.pop(number, None)
        if returned is not None:
            if fell_back:
                self._go_on_from(trial, returned)
            self._forget(returned)
            self._release(returned)
        last = self._last.get(number)
        if last is not None and last.trial != number and not (trial.resumable and trial.state is TrialState.FINISHED):
            self._go_on_from(trial, None)
        self._note_loss(trial)
        late = trial.attempt > 0 or trial.state is TrialState.LOST
        if late or (self._used and trial.state is TrialState.STOPPED):  # its worker may have died before it could stop
            places = tuple(_place(saved) for saved in dict.fromkeys(self._held(number)))
            self._deletions.append(Sweep(number, trial.attempt, places, late))

    def runs_on(self, trial: int) -> None:
        """A trial that had ended was promoted: its checkpoint is needed again."""
        self._losses[trial] = nan
        if trial == self._best:
            self._best, self._best_is_known = None, False
        self._returned[trial] = last = self._last.get(trial)
        if last is not None:
            self._elsewhere.setdefault(last.trial, []).append(last)

    def lend(self, trial: Trial, parent: int) -> None:
        """A new trial begins where another one last returned; where that has not returned, with its last checkpoint."""
        saved = self._returned[parent] if parent in self._returned else self._last.get(parent)
        if saved is not None:
            self._go_on_from(trial, saved)

    def surplus(self) -> list[CheckpointDropped]:
        """What has to go for the quota; tell `dropped` of each."""
        over = self.total_bytes - self._quota
        if over <= 0:
            return []
        if not self._best_is_known:
            results = (number for number, loss in enumerate(self._losses) if loss < inf)
            self._best, self._best_is_known = min(results, key=self._rank, default=None), True
        spare = {number for number in self._last if self._has_ended(number) and number != self._best}
        needed = {saved for number, saved in self._last.items() if number not in spare}
        needed.update(saved for saved in self._returned.values() if saved is not None)
        drops: list[CheckpointDropped] = []
        let_go: Counter[CheckpointSaved] = Counter()
        for number in sorted(spare, key=self._rank, reverse=True):
            last = self._last[number]
            if last in needed:
                continue
            drops.append(CheckpointDropped(trial=number, attempt=last.attempt, number=last.number))
            let_go[last] += 1
            if let_go[last] == self._held(last.trial).count(last):
                over -= last.size_bytes
            if over <= 0:
                break
        return drops

    def dropped(self, trial: Trial) -> None:
        """A trial's checkpoint has to go."""
        self._go_on_from(trial, None)

    def deletions(self) -> list[Deletion]:
        """What is to be deleted, in order; to be done only when everything that led to it is on record."""
        deletions, self._deletions = self._deletions, []
        return deletions

    @property
    def over_quota(self) -> bool:
        """Whether what is needed alone takes more than the quota, once `surplus` has nothing more to say."""
        return self.total_bytes > self._quota

    def _note_loss(self, trial: Trial) -> None:
        number = _number(trial)
        missing = number + 1 - len(self._losses)
        self._losses.extend([nan] * missing)
        self._first_ended.extend([-1] * missing)
        self._losses[number] = inf if trial.final_metric is None else self._loss(trial.final_metric)
        if self._first_ended[number] < 0:
            self._first_ended[number] = self._num_ended
            self._num_ended += 1
        better = self._best is None or self._rank(number) < self._rank(self._best)
        if self._best_is_known and better and self._losses[number] < inf:
            self._best = number

    def _has_ended(self, number: int) -> bool:
        return number < len(self._losses) and not isnan(self._losses[number])

    def _rank(self, number: int) -> tuple[float, int]:
        return self._losses[number], self._first_ended[number]

    def _go_on_from(self, trial: Trial, saved: CheckpointSaved | None) -> None:
        """From here on a trial would go on from this checkpoint."""
        number = _number(trial)
        if saved is not None and saved not in self._held(saved.trial):
            self.total_bytes += saved.size_bytes
        before = self._last.pop(number, None)
        trial.checkpoint = None
        if before is not None and before.trial != number:
            self._forget(before)
        if saved is not None:
            self._last[number] = saved
            if saved.trial != number:
                self._elsewhere.setdefault(saved.trial, []).append(saved)
            trial.checkpoint = Checkpoint(
                url=f"{self._folder}/{_place(saved)}",
                attempt=saved.attempt,
                step=saved.step,
                size_bytes=saved.size_bytes,
                seconds=saved.seconds,
            )
        if before is not None:
            self._release(before)

    def _held(self, trial: int) -> list[CheckpointSaved]:
        """What a trial has saved and somebody needs, as often as somebody does."""
        last = self._last.get(trial)
        own = [] if last is None or last.trial != trial else [last]
        return [*own, *self._elsewhere.get(trial, ())]

    def _forget(self, saved: CheckpointSaved) -> None:
        held = self._elsewhere[saved.trial]
        held.remove(saved)
        if not held:
            del self._elsewhere[saved.trial]

    def _release(self, saved: CheckpointSaved) -> None:
        """One needs it no more; if it was the last, it goes."""
        if saved not in self._held(saved.trial):
            self.total_bytes -= saved.size_bytes
            self._deletions.append(Remove(_place(saved)))


def _number(trial: Trial) -> int:
    assert trial.trial_id is not None
    return trial.trial_id


def _order(event: CheckpointSaved) -> tuple[int, int]:
    return event.attempt, event.number


def _place(event: CheckpointSaved) -> str:
    return place(event.trial, event.attempt, event.number)
