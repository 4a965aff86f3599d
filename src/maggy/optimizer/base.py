"""The contract of a built-in optimizer: what to try next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from maggy.arguments import KeepsArguments
from maggy.searchspace import Space
from maggy.trial import Direction, Trial

if TYPE_CHECKING:
    import numpy as np

    from maggy.optimizer.draws import Draws
    from maggy.optimizer.sampler import Sampler

IDLE: Literal["IDLE"] = "IDLE"
"""Answer of an optimizer that has nothing to try now but may have later."""


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A trial that has returned runs on, with a larger budget.

    trial      its number; it returned, and its suggestion was `resumable`
    budget     the total it is to have reached when it returns again
    reason     why, in one line that a person understands
    rung       of its bracket that it enters, counted from 0
    resumable  whether it may be promoted once more
    """

    trial: int
    budget: float
    reason: str
    rung: int | None = None
    resumable: bool = False


Suggestion = Trial | Promotion | Literal["IDLE"] | None
"""A new trial, a trial to go on with, `IDLE` (ask again when something has happened), or None (that was all)."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What an optimizer is told once, before the first suggestion.

    space         what can be chosen
    num_trials    how many configurations the user asked for
    direction     the user's direction; only the developer API needs it, a `Report` already holds losses
    running       trials that have no result yet by id, a live view that the driver keeps current
    finished      trials that have ended, in order, a live view too; one that was promoted stays in it. Of very many the
                  older ones are read from a file, unless the optimizer says that it `needs_trials`
    draws         where fresh configurations come from, see `Draws.fresh`
    takes_budget  whether the training function asks for a `budget`
    """

    space: Space
    num_trials: int
    direction: Direction
    running: Mapping[int, Trial]
    finished: Sequence[Trial]
    draws: Draws
    takes_budget: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a trial ended, or how it returned at a budget from which it may be promoted.

    trial   the trial, with its metrics in the user's sign and with its `budget`
    loss    its final metric, lower is better; None if it failed or was lost
    losses  one for each objective, the first is `loss`; None if it failed or was lost
    """

    trial: Trial
    loss: float | None
    losses: tuple[float, ...] | None = None


class Optimizer(KeepsArguments, ABC):
    """Decides what to try next. Everything behind this contract minimises a loss.

    Called from the driver's loop, one call at a time. A suggestion should take well under 100 microseconds: what takes
    longer is the business of a `Sampler`, whose draws are made ahead.
    """

    needs_history: ClassVar[bool] = True
    """Whether a suggestion depends on how other trials ended; where it does not, the next is prepared ahead."""

    needs_curves: ClassVar[bool] = False
    """Whether running and finished trials have to keep their curves for it."""

    needs_trials: ClassVar[bool] = False
    """Whether it looks at finished trials again and again: all of them stay in memory for it. Else the driver keeps the
    newest there, and reads the others from a file."""

    judges: bool = False
    """Whether it wants to judge running trials itself, at every step that they report; known once it is prepared."""

    promotes: bool = False
    """Whether it may go on with trials that have returned; known once it is prepared."""

    objectives: Literal["one", "many"] = "one"
    """Whether it can weigh several objectives against each other."""

    sampler: Sampler | None = None
    """Draws its fresh configurations; None where it makes them itself."""

    def prepare(self, setting: Setting) -> int:
        """Learn the setting; return how many configurations there will be at most.

        An optimizer object may be used for several experiments, one after another: this starts each afresh.

        Raises ConfigError where the optimizer cannot search this space.
        """
        self.setting = setting
        return setting.num_trials

    @abstractmethod
    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        """Answer ask number `n`, counted from 0.

        rng  the only source of randomness, seeded from the experiment's seed and `n`
        """

    def judge(self, trial: Trial, step: int, loss: float) -> str | None:
        """Say why a running trial should stop at a step, in one line; None to let it go on.

        Asked at every step where `judges` is set. `loss` is the trial's newest.
        """
        return None

    def observe(self, report: Report) -> None:
        """Learn how a trial ended; called once for each run of it, before the suggestion that follows."""

    def unwanted(self) -> Mapping[int, str]:
        """Running trials that nobody needs any more, with the reason in one line; asked when a trial has ended."""
        return {}

    def finalize(self) -> None:
        """The experiment is over; nothing is asked any more."""
