"""What is to be done: imperatives, the brain's only output. The driver carries them out in order."""

# msgspec hands `frozen` down to subclasses, which mypy does not know
# mypy: disable-error-code="misc"

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from maggy.trial import TrialState


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all commands."""


class Ask(Command):
    """Ask the optimizer for a trial; the answer is `Suggested`, `Promoted`, `Idled` or `Exhausted`.

    number  counts the asks from 0 and seeds the draw
    """

    number: int


class Judge(Command):
    """Ask the stopping rule about a running trial at a step; the answer is `Judged`."""

    trial: int
    attempt: int
    step: int


class Run(Command):
    """Hand a trial to a worker, or to several.

    budget  the total that it is to reach, if it has one
    gang    the workers, in order of rank, if there is more than one; `worker` is the first of them, here as in the
            other commands
    """

    worker: int
    trial: int
    attempt: int
    params: dict[str, Any]
    budget: float | None = None
    gang: tuple[int, ...] = ()


class GoOn(Command):
    """Tell a trial that waits for a verdict to go on."""

    worker: int
    trial: int
    attempt: int
    step: int


class Stop(Command):
    """Tell a trial to stop at its next broadcast."""

    worker: int
    trial: int
    attempt: int
    reason: str


class Fence(Command):
    """A lease was taken back: whoever still holds it must drop it."""

    worker: int
    trial: int
    attempt: int


class Replace(Command):
    """A worker process has had its last trial, whether it knows or not: another one takes its seat."""

    worker: int
    trial: int
    attempt: int


class Settle(Command):
    """A trial has reached a final state: book it and tell the optimizer.

    error      why, where it failed or was lost
    fell_back  it failed or was lost after it had been promoted: what it returned before is its result
    """

    trial: int
    state: TrialState
    error: str | None = None
    fell_back: bool = False


class Ending(StrEnum):
    """Why an experiment ends."""

    COMPLETE = "complete"  # every trial has ended and there will be no more
    HOPELESS = "hopeless"  # the first few trials all failed in the same way
    INTERRUPTED = "interrupted"  # somebody asked for it
    SHORTHANDED = "shorthanded"  # there are too few workers for a trial


class Conclude(Command):
    """The experiment is over: release every worker."""

    ending: Ending
    reason: str = ""


AnyCommand = Ask | Judge | Run | GoOn | Stop | Fence | Replace | Settle | Conclude
