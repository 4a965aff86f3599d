"""Ours, driven as the driver drives it: the optimizer asks `Draws` for fresh configurations and is told what happens.

Draws are made when a worker asks, with all that is known by then: in the virtual pool a model is never late.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.search_quality.contestants import Contestant
from benchmarks.search_quality.space import Params, Space
from maggy import Searchspace
from maggy.optimizer import GP, IDLE, TPE, Asha, Draws, Hyperband, Optimizer, Promotion, Report, Setting, Undrawn
from maggy.trial import Trial, TrialState

ETA = 3
MOST = 1_000_000
"""Configurations; the pool ends a search by its budget of steps."""


class Ours(Contestant):
    """An optimizer of ours behind ask and tell.

    make  makes it, for trials of so many steps
    """

    def __init__(self, make: Callable[[int], Optimizer], *, stops: bool, takes_budget: bool = False) -> None:
        self._make, self.stops, self._takes_budget = make, stops, takes_budget

    def start(self, space: Space, seed: int, steps: int) -> None:
        self._optimizer = self._make(steps)
        ours = Searchspace(**space)
        self._draws = Draws(self._optimizer.sampler or Undrawn(), ours, seed=seed, most=MOST)
        self._trials: dict[int, Trial] = {}
        self._seed, self._asked = seed, 0
        setting = Setting(
            space=ours,
            num_trials=MOST,
            direction="min",
            running=MappingProxyType(self._trials),
            finished=[],
            draws=self._draws,
            takes_budget=self._takes_budget,
        )
        self._optimizer.prepare(setting)

    def ask(self) -> tuple[int, Params] | None:
        answer: Any = self._optimizer.suggest(self._asked, np.random.default_rng([self._seed, self._asked, 2]))
        self._asked += 1
        if answer is None or answer == IDLE:
            return None
        if isinstance(answer, Promotion):
            trial = self._trials[answer.trial]
            trial.budget, trial.rung, trial.state = answer.budget, answer.rung, TrialState.RUNNING
            self._draws.history.went_on(answer.trial)
        else:
            trial = answer
            trial.trial_id = len(self._trials)
            self._trials[trial.trial_id] = trial
            self._draws.history.began(trial.trial_id, trial.params)
        assert trial.trial_id is not None
        return trial.trial_id, trial.params

    def report(self, key: int, step: int, loss: float) -> bool:
        trial = self._trials[key]
        if self._optimizer.judges and self._optimizer.judge(trial, step, loss) is not None:
            self._end(trial, loss, TrialState.STOPPED)
            return True
        if self._optimizer.promotes and step == trial.budget:
            self._end(trial, loss, TrialState.FINISHED)
            return True
        return False

    def tell(self, key: int, loss: float) -> None:
        self._end(self._trials[key], loss, TrialState.FINISHED)

    def _end(self, trial: Trial, loss: float, state: TrialState) -> None:
        assert trial.trial_id is not None
        trial.state, trial.final_metric = state, loss
        self._draws.history.observed(trial.trial_id, (loss,), trial.budget, runs=False)
        self._optimizer.observe(Report(trial=trial, loss=loss, losses=(loss,)))


def _asha(sampler: str) -> Callable[[], Contestant]:
    return lambda: Ours(lambda steps: Asha(ETA, 1, steps, sampler=sampler), stops=True, takes_budget=True)


OURS: dict[str, Callable[[], Contestant]] = {
    "maggy-tpe": lambda: Ours(lambda steps: TPE(), stops=False),
    "maggy-gp": lambda: Ours(lambda steps: GP(), stops=False),
    "maggy-asha": _asha("random"),
    "maggy-asha-stopping": lambda: Ours(lambda steps: Asha(ETA, 1, steps, form="stopping"), stops=True),
    "maggy-asha-tpe": _asha("tpe"),
    "maggy-bohb": lambda: Ours(lambda steps: Hyperband(1, steps, ETA, sampler="tpe"), stops=True, takes_budget=True),
}
