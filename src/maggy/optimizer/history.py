"""What a sampler may know: which configurations ran, how they ended, and which are still running."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite

from maggy.searchspace import Space
from maggy.trial import Params


@dataclass(frozen=True, slots=True)
class Observation:
    """How good a configuration was.

    losses  one for each objective, lower is better; None if the trial failed
    budget  how much the trial had been given by then; None where trials have no budget
    """

    trial: int
    params: Params
    losses: tuple[float, ...] | None
    budget: float | None = None

    @property
    def loss(self) -> float | None:
        """Of the first objective; None if the trial failed, NaN and infinity included."""
        return self.losses[0] if self.losses is not None and all(map(isfinite, self.losses)) else None


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened: a trial began or went on, or was observed, and then perhaps ended.

    params       what it began with; None of a trial that is known
    observation  what was observed
    runs         whether it is running from here on
    """

    trial: int
    params: Params | None = None
    observation: Observation | None = None
    runs: bool = True


class History:
    """Grows by facts, each told once and in order; the same facts always make the same history.

    space         what is searched
    observations  in order; a trial has one for each budget it was observed at
    pending       configurations whose result is not known yet, by trial. Negative numbers are of draws that no trial
                  has begun with yet
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.facts: list[Fact] = []
        self.observations: list[Observation] = []
        self.pending: dict[int, Params] = {}
        self._params: dict[int, Params] = {}
        self._imagined = 0
        self._counts: Counter[float | None] = Counter()

    @property
    def seen(self) -> int:
        """How many facts it knows."""
        return len(self.facts)

    @property
    def largest_level(self) -> int:
        """How many trials have a loss at the budget at which most have one."""
        return max(self._counts.values(), default=0)

    def learn(self, fact: Fact) -> None:
        """Take in one more fact."""
        self.facts.append(fact)
        self.forget_imagined()
        if fact.params is not None:
            self._params[fact.trial] = fact.params
        if fact.observation is not None:
            self.observations.append(fact.observation)
            if fact.observation.loss is not None:
                self._counts[fact.observation.budget] += 1
        if fact.runs:
            self.pending[fact.trial] = self._params[fact.trial]
        else:
            self.pending.pop(fact.trial, None)

    def began(self, trial: int, params: Params) -> None:
        """A trial was suggested."""
        self.learn(Fact(trial, params))

    def went_on(self, trial: int) -> None:
        """A trial that had ended was promoted."""
        self.learn(Fact(trial))

    def observed(self, trial: int, losses: tuple[float, ...] | None, budget: float | None, *, runs: bool) -> None:
        """A trial ended, or came to a budget that counts and runs on."""
        observation = Observation(trial, self._params[trial], losses, budget)
        self.learn(Fact(trial, observation=observation, runs=runs))

    def imagine(self, params: Params) -> None:
        """Count a draw as pending that no trial has begun with yet, until the next fact."""
        self._imagined += 1
        self.pending[-self._imagined] = params

    def forget_imagined(self) -> None:
        """Forget every imagined draw."""
        for number in range(1, self._imagined + 1):
            del self.pending[-number]
        self._imagined = 0

    def level(self, least: int) -> list[Observation]:
        """The observations to fit a model to: those at the largest budget at which `least` trials have a loss.

        Failed trials of that budget are among them. Where no budget has enough yet, those of the budget that has most.
        Source: BOHB (Falkner et al., arXiv 1807.01774), which does so with `least` = d + 1.
        """
        if not self._counts:
            return []
        enough = [budget for budget, count in self._counts.items() if count >= least]
        if enough:
            chosen = max(enough, key=_rank)
        else:
            chosen = max(self._counts, key=lambda budget: (self._counts[budget], _rank(budget)))
        return [each for each in self.observations if each.budget == chosen]

    def upto(self, seen: int) -> History:
        """The history as it was when it knew `seen` facts."""
        past = History(self.space)
        for fact in self.facts[:seen]:
            past.learn(fact)
        return past


class Unread(History):
    """The history of a sampler that looks at nothing: it knows no facts."""

    def began(self, trial: int, params: Params) -> None:
        """A trial was suggested."""

    def went_on(self, trial: int) -> None:
        """A trial that had ended was promoted."""

    def observed(self, trial: int, losses: tuple[float, ...] | None, budget: float | None, *, runs: bool) -> None:
        """A trial ended, or came to a budget that counts and runs on."""


def _rank(budget: float | None) -> float:
    return -1.0 if budget is None else budget
