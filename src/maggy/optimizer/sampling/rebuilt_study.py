"""Studies of Optuna that are made anew for each draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import deepcopy
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from maggy.optimizer.history import History, Observation
from maggy.optimizer.sampling.optuna_space import OptunaSpace
from maggy.optimizer.sampling.optuna_tools import new_study, quiet, reseed
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np
    from optuna.samplers import BaseSampler
    from optuna.storages import InMemoryStorage
    from optuna.trial import FrozenTrial, TrialState


class RebuiltStudy(ABC):
    """A study made anew from the history for each draw, for samplers that only look at their study.

    sampler  a fresh copy of it draws each time

    What is drawn depends on the history and the generator alone.
    """

    def __init__(self, sampler: BaseSampler, space: OptunaSpace, objectives: int) -> None:
        self._sampler, self._space, self._objectives = sampler, space, objectives
        self._translated: dict[tuple[int, float | None], tuple[Observation, dict[str, Any]]] = {}

    def proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        sampler = deepcopy(self._sampler)
        reseed(sampler, rng)
        study = new_study(sampler, self._objectives, _showing(self._past(known, pending)))
        while True:
            with quiet():
                params = self._space.asked(study.ask())  # it stays in the study, as one that runs
            yield params

    def _past(self, known: Sequence[Observation], pending: Sequence[Params]) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        past: list[FrozenTrial] = []
        for each, (state, values) in zip(known, self._results(known), strict=True):
            past.append(self._frozen(len(past) + 1, state, self._told(each), values))
        for params in pending:
            past.append(self._frozen(len(past) + 1, TrialState.RUNNING, self._space.told(params), None))
        return past

    @abstractmethod
    def _results(self, known: Sequence[Observation]) -> list[tuple[TrialState, list[float] | None]]:
        """The state and the values of each observation, as the sampler sees them best."""

    def _told(self, observation: Observation) -> dict[str, Any]:
        """The configuration for Optuna; translated once, because there may be thousands."""
        key = observation.trial, observation.budget
        held = self._translated.get(key)
        if held is None or held[0] != observation:
            held = self._translated[key] = observation, self._space.told(observation.params)
        return held[1]

    def _frozen(
        self, number: int, state: TrialState, params: dict[str, Any], values: list[float] | None
    ) -> FrozenTrial:
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


class RankedStudy(RebuiltStudy):
    """For TPE, to which the order of the losses matters: failed trials come last."""

    def _results(self, known: Sequence[Observation]) -> list[tuple[TrialState, list[float] | None]]:
        from optuna.trial import TrialState

        return [
            (TrialState.PRUNED, None) if each.loss is None else (TrialState.COMPLETE, list(each.losses or ()))
            for each in known
        ]


class WarpedStudy(RebuiltStudy):
    """For Gaussian processes, to which the size of the losses matters: see `half_ranked`."""

    def _results(self, known: Sequence[Observation]) -> list[tuple[TrialState, list[float] | None]]:
        from optuna.trial import TrialState

        good = [each.losses for each in known if each.loss is not None]
        worst = [max(column) for column in zip(*good, strict=True)]
        losses = [worst if each.loss is None else each.losses for each in known]
        columns = [half_ranked(column) for column in zip(*losses, strict=True)]
        return [(TrialState.COMPLETE, list(values)) for values in zip(*columns, strict=True)]


def half_ranked(losses: Sequence[float]) -> list[float]:
    """The losses, of which those above the median are replaced by what their ranks would be in a normal distribution.

    How bad the bad ones are says little about where the best is, and a failure or a divergence would hide it.

    Source: Song et al., "The Vizier Gaussian process bandit algorithm", arXiv 2408.11527.
    """
    import numpy as np

    values = np.array(losses, dtype=float)
    median = float(np.median(values))
    better = values[values <= median]
    spread = float(np.sqrt(((better - median) ** 2).mean())) or 1.0
    normal = NormalDist(median, spread)
    for rank, index in enumerate(np.argsort(values, kind="stable").tolist()):
        if values[index] > median:
            losses_below = (rank + 0.5) / len(values)
            values[index] = normal.inv_cdf(losses_below)
    return [float(value) for value in values]


def _showing(past: Sequence[FrozenTrial]) -> InMemoryStorage:
    """A storage that shows these trials before its own. Adding them would copy and check each, which takes long.

    past  trials whose numbers start at 1, so that they do not meet the first of the storage's own, which is 0
    """
    from optuna.storages import InMemoryStorage

    class Storage(InMemoryStorage):
        def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
            shown = [trial for trial in past if states is None or trial.state in states]
            return shown + super().get_all_trials(study_id, deepcopy, states)

    return Storage()
