"""Keeps what study-level stoppers see, from events alone."""

from __future__ import annotations

from math import inf

from maggy.earlystop import Study, Update
from maggy.trial import Trial


class Watch:
    """The study as it is by now. Time in which no driver ran, or no worker was ready yet, does not count.

    What a driver that was killed did after its last record is not known, and does not count either.

    keep  whether there is somebody who sees it; else it only knows whether it was ended

    stopped  why a stopper ended the study; None while it goes on
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._ends: list[Trial] = []  # a promoted trial ends more than once
        self.study = Study(trials=self._ends)
        self._counted_s: dict[int | None, float] = {}
        self.stopped: str | None = None
        self._best = inf
        self._begun_at: float | None = None
        self._now = 0.0
        self._earlier_s = 0.0

    def pause(self) -> None:
        """A driver has begun; nobody works yet."""
        if self._begun_at is not None:
            self._earlier_s += self._now - self._begun_at
        self._begun_at = None
        self.stopped = None

    def begin(self, t: float) -> None:
        """A worker is ready."""
        if self._begun_at is None:
            self._begun_at = self._now = t

    def see(self, t: float) -> None:
        """It is `t`, in seconds since the epoch."""
        self._now = max(t, self._now)
        self.study.elapsed_s = self._earlier_s + (0.0 if self._begun_at is None else self._now - self._begun_at)

    def ended(self, trial: Trial, loss: float | None, t: float, *, first: bool) -> None:
        """A trial has come to a final state.

        first  whether it has not been there before
        """
        if not self._keep:
            return
        self.see(t)
        self._ends.append(trial)
        self.study.ended += first
        self.study.worker_s += trial.run_s - self._counted_s.get(trial.trial_id, 0.0)
        self._counted_s[trial.trial_id] = trial.run_s
        if loss is not None and loss < self._best:
            assert trial.trial_id is not None
            self._best = loss
            self.study.updates.append(Update(self.study.elapsed_s, trial.trial_id, loss))
