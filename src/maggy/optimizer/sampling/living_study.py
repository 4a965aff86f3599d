"""A study of Optuna that lasts."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from maggy.optimizer.history import Fact, History, Observation
from maggy.optimizer.sampling.optuna_space import OptunaSpace
from maggy.optimizer.sampling.optuna_tools import new_study, quiet, reseed
from maggy.optimizer.sampling.selection import selected
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.storages import InMemoryStorage
    from optuna.trial import FrozenTrial

_MOST = 500


class LivingStudy:
    """A study that lasts as long as the experiment, for samplers that keep notes about the trials they have drawn.

    It learns the facts in their order. A configuration that it did not draw itself, or drew before a resume, it draws
    once more with the values given: so the sampler makes its notes. A trial counts with what it was first observed at:
    with several budgets that is the lowest of its bracket, at which all are comparable.

    The sampler looks at 1,000 trials at most, see `selected`.
    """

    def __init__(self, sampler: BaseSampler, space: OptunaSpace, objectives: int) -> None:
        self._sampler, self._space, self._objectives = sampler, space, objectives
        self._begin()

    def _begin(self) -> None:
        self._last: Fact | None = None
        self._known = 0
        self._drawn: list[tuple[Params, optuna.Trial]] = []
        self._running: dict[int, optuna.Trial] = {}
        self._study = new_study(copy.deepcopy(self._sampler), self._objectives, _window())

    def proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        reseed(self._study.sampler, rng)
        self._catch_up(history)
        while True:
            params, trial = self._ask()
            self._drawn.append((params, trial))
            yield params

    def _catch_up(self, history: History) -> None:
        if self._known > history.seen or (self._known and history.facts[self._known - 1] != self._last):
            self._begin()  # another history, e.g. of another experiment
        for fact in history.facts[self._known :]:
            if fact.params is not None:
                self._running[fact.trial] = self._begun(fact.params)
            if fact.observation is not None and fact.trial in self._running:
                self._tell(self._running.pop(fact.trial), fact.observation)
            self._last = fact
        self._known = history.seen

    def _begun(self, params: Params) -> optuna.Trial:
        for index, (drawn, trial) in enumerate(self._drawn):
            if drawn == params:
                del self._drawn[: index + 1]  # whatever was drawn before it has been dropped
                return trial
        self._study.enqueue_trial(self._space.told(params))
        return self._ask()[1]

    def _ask(self) -> tuple[Params, optuna.Trial]:
        with quiet():
            trial = self._study.ask()
            _ = trial.relative_params  # now the sampler makes its notes, even if all values are given
            return self._space.asked(trial), trial

    def _tell(self, trial: optuna.Trial, observation: Observation) -> None:
        from optuna.trial import TrialState

        with quiet():
            if observation.loss is None:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._study.tell(trial, list(observation.losses or ()))


def _window() -> InMemoryStorage:
    """A storage that thins out what it shows whenever that has doubled."""
    from optuna.storages import InMemoryStorage

    class Storage(InMemoryStorage):
        def __init__(self) -> None:
            super().__init__()
            self._kept: list[int] = []
            self._since = 0

        def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
            trials = super().get_all_trials(study_id, deepcopy=False)
            shown = [*(trials[number] for number in self._kept), *trials[self._since :]]
            if len(shown) > 2 * _MOST:
                results = [Observation(each.number, {}, each.values and tuple(each.values)) for each in shown]
                self._kept, self._since = [each.trial for each in selected(results, _MOST)], len(trials)
                shown = [trials[number] for number in self._kept]
            if states is not None:
                shown = [trial for trial in shown if trial.state in states]
            return copy.deepcopy(shown) if deepcopy else shown

    return Storage()
