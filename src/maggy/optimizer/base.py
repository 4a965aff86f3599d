"""The contract of a built-in optimizer: what to try next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from maggy.searchspace import Searchspace
from maggy.trial import Direction, Trial

if TYPE_CHECKING:
    import numpy as np

IDLE: Literal["IDLE"] = "IDLE"
"""Answer of an optimizer that has nothing to try now but may have later."""

Suggestion = Trial | Literal["IDLE"] | None
"""A new trial, `IDLE` (ask again when something has happened), or None (there will be no more)."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What an optimizer is told once, before the first suggestion.

    space       what can be chosen
    num_trials  how many trials the user asked for
    direction   the user's direction; only the developer API needs it, a `Report` already holds losses
    running     trials that have no result yet by id, a live view that the driver keeps current
    finished    trials that have ended, in order, a live view too
    """

    space: Searchspace
    num_trials: int
    direction: Direction
    running: Mapping[int, Trial]
    finished: Sequence[Trial]


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a trial ended.

    trial  the trial, with its metrics in the user's sign
    loss   its final metric, lower is better; None if it failed or was lost
    """

    trial: Trial
    loss: float | None


class Optimizer(ABC):
    """Decides what to try next. Everything behind this contract minimises a loss.

    Called from the driver's loop, one call at a time. A suggestion should take well under a millisecond.
    """

    needs_history: ClassVar[bool] = True
    """Whether a suggestion depends on how other trials ended; where it does not, the next is prepared ahead."""

    needs_curves: ClassVar[bool] = False
    """Whether running and finished trials have to keep their curves for it."""

    def prepare(self, setting: Setting) -> int:
        """Learn the setting; return how many trials there will be at most.

        Raises ConfigError where the optimizer cannot search this space.
        """
        self.setting = setting
        return setting.num_trials

    @abstractmethod
    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        """Answer ask number `n`, counted from 0.

        rng  the only source of randomness, seeded from the experiment's seed and `n`
        """

    def observe(self, report: Report) -> None:
        """Learn how a trial ended; called once for each, before the suggestion that follows it."""

    def finalize(self) -> None:
        """The experiment is over; nothing is asked any more."""
