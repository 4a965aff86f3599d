"""What the brain knows of workers and trials, and the numbers that it goes by."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import Any

from maggy.brain.transitions import Cause
from maggy.trial import TrialState


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Numbers that the machine goes by.

    num_trials ... fresh     see `DriverStarted`, which replaces them
    patience_s  silence after which a worker counts as lost
    grace_s     time in which a worker whose connection broke may come back
    retry_s     an idle optimizer is asked again after this time, or as soon as a trial ends
    workers_timeout_s  how long a trial waits for workers that are not there
    """

    num_trials: int = 0
    lost_limit: int = 3
    error_limit: int = 1
    preempted_limit: int = 10
    alike_limit: int = 5
    promotes: bool = False
    workers_per_trial: int = 1
    min_workers: int = 1
    fresh: bool = False
    patience_s: float = inf
    grace_s: float = 10.0
    retry_s: float = 1.0
    workers_timeout_s: float = inf


@dataclass(slots=True)
class Worker:
    """A worker that is there."""

    seat: int
    heard_at: float
    away_since: float | None = None
    trial: int | None = None
    parked: bool = False  # a second worker on a taken seat waits until the first is lost
    host: str = ""


@dataclass(slots=True)
class Live:
    """A trial that has not reached a final state, or that may be promoted from it.

    promoted  whether it has a result from before
    reported  whether this attempt has reported a number that is finite
    gang      the workers that run it, in order of rank; empty while it waits
    """

    params: dict[str, Any]
    budget: float | None = None
    resumable: bool = False
    promoted: bool = False
    reported: bool = False
    state: TrialState = TrialState.PENDING
    attempt: int = 0
    gang: tuple[int, ...] = ()
    setbacks: Counter[Cause] = field(default_factory=Counter)
    story: list[tuple[float, Cause, TrialState]] = field(default_factory=list)

    def packed(self) -> bytes:
        """What is kept of a trial that has returned while nobody knows whether it runs on: there may be very many."""
        return pickle.dumps((self.params, self.attempt), pickle.HIGHEST_PROTOCOL)

    @classmethod
    def unpacked(cls, packed: bytes) -> Live:
        """The trial as it was when it had returned."""
        params, attempt = pickle.loads(packed)
        return cls(params, state=TrialState.FINISHED, attempt=attempt)

    @property
    def worker(self) -> int | None:
        """The first of its workers; None while it waits."""
        return self.gang[0] if self.gang else None
