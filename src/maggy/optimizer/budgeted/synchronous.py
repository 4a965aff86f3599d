"""What successive halving and Hyperband share: brackets, one after another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from maggy.optimizer.base import IDLE, Optimizer, Report, Setting, Suggestion
from maggy.optimizer.budgeted.bracket import Bracket
from maggy.optimizer.budgeted.budgets import check_function, loss_at_budget
from maggy.optimizer.budgeted.plan import Plan
from maggy.optimizer.names import sampler_named

if TYPE_CHECKING:
    import numpy as np


class Synchronous(Optimizer):
    """Runs plans one after another and over again, until there are no more configurations.

    A rung waits for all of its trials. A worker that finds nothing to do in the brackets that have begun starts the
    next one, so that nobody waits as long as there are configurations.
    """

    def __init__(self, sampler: object) -> None:
        self.sampler = sampler_named(sampler)

    @abstractmethod
    def plans(self, most: int) -> Sequence[Plan]:
        """The plans of a round, each with its `n`; `most` is how many configurations there are."""

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        check_function(setting, type(self).__name__)
        self.promotes = True
        self._plans = self.plans(setting.draws.most)
        self._begun = 0
        self._brackets: dict[int, Bracket] = {}  # those that are not done, by number
        self._exhausted = False
        return setting.draws.most

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        for bracket in list(self._brackets.values()):
            suggestion = self._from(bracket)
            if suggestion is not None:
                return suggestion
        if not self._exhausted:
            bracket = Bracket(self._begun, self._plans[self._begun % len(self._plans)])
            self._brackets[self._begun] = bracket
            self._begun += 1
            return self._from(bracket) or self.suggest(n, rng)
        return IDLE if any(bracket.promotes for bracket in self._brackets.values()) else None

    def observe(self, report: Report) -> None:
        trial = report.trial
        assert trial.trial_id is not None and trial.bracket is not None
        bracket = self._brackets.get(trial.bracket)
        if bracket is not None:  # a bracket is done as soon as the last of its trials has been promoted
            bracket.observe(loss_at_budget(report), trial.trial_id)
            self._forget_if_done(bracket)

    def _from(self, bracket: Bracket) -> Suggestion:
        suggestion: Suggestion = bracket.promotion()
        if suggestion is None and bracket.open:
            draw = None if self._exhausted else self.setting.draws.fresh()
            if draw is None:
                self._exhausted = True
                bracket.close()
                suggestion = bracket.promotion()
            else:
                bracket.enter()
                suggestion = draw.trial(
                    budget=bracket.first_budget, rung=0, bracket=bracket.number, resumable=bracket.promotes
                )
        self._forget_if_done(bracket)
        return suggestion

    def _forget_if_done(self, bracket: Bracket) -> None:
        if bracket.done:
            self._brackets.pop(bracket.number, None)
