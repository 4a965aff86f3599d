"""Optuna's studies: what an Optuna sampler looks at when it draws."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol

from maggy.optimizer.history import Fact, History, Observation
from maggy.optimizer.optuna_space import OptunaSpace
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


class Study(Protocol):
    """Draws from an Optuna sampler."""

    def proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        """See `ModelSampler._proposals`."""


class RebuiltStudy:
    """A study made anew from the history for each draw, for samplers that only look at their study.

    sampler        a fresh copy of it draws each time
    failed_is_bad  a failed trial is worse than all others; else it counts as bad as the worst

    What is drawn depends on the history and the generator alone.
    """

    def __init__(self, sampler: BaseSampler, space: OptunaSpace, objectives: int, *, failed_is_bad: bool) -> None:
        self._sampler, self._space, self._objectives = sampler, space, objectives
        self._failed_is_bad = failed_is_bad
        self._translated: dict[tuple[int, float | None], tuple[Observation, dict[str, Any]]] = {}

    def proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        sampler = deepcopy(self._sampler)
        reseed(sampler, rng)
        study = new_study(sampler, self._objectives, showing(self._past(known, pending)))
        while True:
            with quiet():
                params = self._space.asked(study.ask())  # it stays in the study, as one that runs
            yield params

    def _past(self, known: Sequence[Observation], pending: Sequence[Params]) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        worst = [max(column) for column in zip(*(each.losses for each in known if each.loss is not None), strict=True)]
        past: list[FrozenTrial] = []
        for each in known:
            if each.loss is not None:
                state, values = TrialState.COMPLETE, list(each.losses or ())
            elif self._failed_is_bad:
                state, values = TrialState.PRUNED, None  # without any value: TPE ranks it last
            else:
                state, values = TrialState.COMPLETE, worst
            past.append(self._frozen(len(past) + 1, state, self._told(each), values))
        for params in pending:
            past.append(self._frozen(len(past) + 1, TrialState.RUNNING, self._space.told(params), None))
        return past

    def _told(self, observation: Observation) -> dict[str, Any]:
        """The configuration for Optuna; translated once, because there may be thousands."""
        key = observation.trial, observation.budget
        held = self._translated.get(key)
        if held is None or held[0] != observation:
            held = self._translated[key] = observation, self._space.told(observation.params)
        return held[1]

    def _frozen(self, number: int, state: Any, params: dict[str, Any], values: list[float] | None) -> FrozenTrial:
        from optuna.trial import FrozenTrial

        return FrozenTrial(
            number=number,
            trial_id=number,
            state=state,
            value=None,
            values=values,
            datetime_start=None,
            datetime_complete=None,
            params=params,
            distributions={name: self._space.distributions[name] for name in params},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )


class LivingStudy:
    """A study that lasts as long as the experiment, for samplers that keep notes about the trials they have drawn.

    It learns the facts in their order. A configuration that it did not draw itself, or drew before a resume, it draws
    once more with the values given: so the sampler makes its notes. A trial counts with what it was first observed at:
    with several budgets that is the lowest of its bracket, at which all are comparable.
    """

    def __init__(self, sampler: BaseSampler, space: OptunaSpace, objectives: int) -> None:
        self._sampler, self._space, self._objectives = sampler, space, objectives
        self._begin()

    def _begin(self) -> None:
        self._last: Fact | None = None
        self._known = 0
        self._drawn: list[tuple[Params, optuna.Trial]] = []
        self._running: dict[int, optuna.Trial] = {}
        self._study = new_study(deepcopy(self._sampler), self._objectives)

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


def new_study(sampler: BaseSampler, objectives: int, storage: Any = None) -> optuna.Study:
    """A study that minimises, in memory unless a storage is given."""
    import optuna

    with quiet():
        return optuna.create_study(
            study_name="maggy",
            storage=storage or optuna.storages.InMemoryStorage(),
            sampler=sampler,
            directions=["minimize"] * objectives,
        )


def showing(past: Sequence[FrozenTrial]) -> Any:
    """A storage that shows these trials before its own. Adding them would copy and check each, which takes long.

    past  trials whose numbers start at 1, so that they do not meet the first of the storage's own, which is 0
    """
    from optuna.storages import InMemoryStorage

    class Storage(InMemoryStorage):
        def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
            shown = [trial for trial in past if states is None or trial.state in states]
            return shown + super().get_all_trials(study_id, deepcopy, states)

    return Storage()


def reseed(sampler: BaseSampler, rng: np.random.Generator) -> None:
    """Let all chance of a sampler come from `rng`, also that of the samplers that it holds."""
    import numpy as np
    from optuna.samplers import BaseSampler

    for value in vars(sampler).values():
        if isinstance(value, BaseSampler):
            reseed(value, rng)
        elif isinstance(stream := getattr(value, "rng", None), np.random.RandomState):
            stream.seed(int(rng.integers(2**32)))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's chatter and its warnings about experimental features to itself."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
