"""What has happened: past facts, the only thing the brain learns from and all that the journal holds.

Every event is a frozen struct that the journal writes as one line of JSON. New fields are added at the end and
with a default, so that an older journal stays readable.
"""

# msgspec hands `frozen` down to subclasses, which mypy does not know
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of all events."""


class DriverStarted(Event):
    """A driver has begun the experiment, or taken it over: whoever worked for the one before is gone.

    epoch            0 for the first driver, one more for each that resumes
    num_trials       how many trials are suggested at most
    lost_limit       a trial whose workers were lost this often is given up
    error_limit      a trial whose function raised this often has failed
    preempted_limit  a trial whose workers were told to leave this often is given up
    alike_limit      the experiment ends if its first so many trials all fail in the same way
    promotes         whether the optimizer may go on with trials that have returned: it is asked until it says that
                     there will be no more
    workers_per_trial  how many workers run a trial together
    min_workers      how many have to do if the others do not come
    fresh            whether a worker process runs one trial, and is then replaced
    """

    epoch: int
    num_trials: int
    lost_limit: int = 3
    error_limit: int = 1
    preempted_limit: int = 10
    alike_limit: int = 5
    promotes: bool = False
    workers_per_trial: int = 1
    min_workers: int = 1
    fresh: bool = False


class WorkerJoined(Event):
    """A worker is ready for trials.

    replaces  worker on the same seat that is known to be gone, if there is one
    """

    worker: int
    seat: int
    host: str = ""
    pid: int = 0
    replaces: int | None = None


class WorkerLost(Event):
    """A worker is gone: its process ended, its connection broke, or it fell silent.

    preempted  it was told to leave, and gave its trial back
    """

    worker: int
    reason: str
    preempted: bool = False


class WorkersMissing(Event):
    """A trial waits for its workers, and there are too few.

    there  how many there are
    over   the time for it is over: it runs on those that are there, or the experiment ends
    """

    there: int
    waited_s: float
    over: bool = False


class GangBroke(Event):
    """The workers of a running trial have lost touch with each other, although none is lost."""

    trial: int
    attempt: int
    reason: str


class Suggested(Event):
    """The optimizer answered ask number `ask` with a new trial; the other fields are those of `Trial`.

    reason  more about where the configuration comes from, in one line
    """

    ask: int
    trial: int
    params: dict[str, Any]
    budget: float | None = None
    rung: int | None = None
    bracket: int | None = None
    resumable: bool = False
    parent: int | None = None
    origin: str | None = None
    reason: str = ""
    saw: tuple[int, int] | None = None


class Promoted(Event):
    """The optimizer answered ask number `ask` with a trial that has returned: it runs on, with a larger budget."""

    ask: int
    trial: int
    budget: float
    reason: str
    rung: int | None = None
    resumable: bool = False


class Idled(Event):
    """The optimizer answered ask number `ask`: nothing now, ask again later."""

    ask: int


class Exhausted(Event):
    """The optimizer answered ask number `ask`: there will be no more trials."""

    ask: int


class RetryFell(Event):
    """The time came to ask an idle optimizer again."""


class MetricsReported(Event):
    """A running trial reported points of its curve.

    steps   never decreasing
    values  one for each step, in the user's sign; NaN and infinity are written as text ("nan", "inf", "-inf"),
            because JSON has no number for them: `float(value)` reads both
    awaits  the step for which the trial waits for a verdict, if it does
    """

    trial: int
    attempt: int
    steps: list[int]
    values: list[float | str]
    awaits: int | None = None


class Judged(Event):
    """The stopping rule, or the optimizer, answered for a trial at a step.

    probability  that the trial ends better than the best so far, where the rule predicts it
    """

    trial: int
    attempt: int
    step: int
    stop: bool
    reason: str = ""
    probability: float | None = None


class StopAsked(Event):
    """Somebody asked for the end of one trial, which is told to stop if it runs.

    reason  who, and how
    """

    trial: int
    reason: str


class StudyStopped(Event):
    """A study-level stopper says that it is enough: nothing begins any more, and what runs is told to stop.

    What waits for a worker waits on, and runs if a driver takes the experiment over.
    """

    reason: str


class TrialFinished(Event):
    """The training function returned.

    metric   what it returned, or the `optimization_key` of the dict that it returned
    outputs  the whole dict, as far as it is JSON
    """

    trial: int
    attempt: int
    metric: float
    outputs: dict[str, Any] | None = None


class TrialStopped(Event):
    """The training function left because it was told to stop; `metric` is what it reported last."""

    trial: int
    attempt: int
    metric: float
    outputs: dict[str, Any] | None = None


class TrialFailed(Event):
    """The training function raised, or returned something that is no metric.

    error      last line of the traceback
    signature  kind and place of the error, without the values in its message: equal for the same mistake
    """

    trial: int
    attempt: int
    error: str
    signature: str
    traceback: str = ""


class CheckpointSaved(Event):
    """A running trial saved a checkpoint: from here on it may be gone on from.

    number  counts the checkpoints of one attempt from 0
    """

    trial: int
    attempt: int
    number: int
    step: int | None
    size_bytes: int
    seconds: float


class CheckpointDropped(Event):
    """The last checkpoint of a trial that has ended is deleted, because the quota is full."""

    trial: int
    attempt: int
    number: int


class Interrupted(Event):
    """Somebody asked for the end of the experiment."""

    reason: str


Answer = Suggested | Promoted | Idled | Exhausted | Judged
"""What a policy says; every other event comes from outside."""

AnyEvent = (
    DriverStarted
    | WorkerJoined
    | WorkerLost
    | WorkersMissing
    | GangBroke
    | Suggested
    | Promoted
    | Idled
    | Exhausted
    | RetryFell
    | MetricsReported
    | Judged
    | StopAsked
    | StudyStopped
    | TrialFinished
    | TrialStopped
    | TrialFailed
    | CheckpointSaved
    | CheckpointDropped
    | Interrupted
)
