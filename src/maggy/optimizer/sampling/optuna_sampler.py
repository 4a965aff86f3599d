"""Any sampler of Optuna."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

from maggy.errors import ConfigError
from maggy.optimizer.history import History, Observation
from maggy.optimizer.sampling.libraries import require
from maggy.optimizer.sampling.living_study import LivingStudy
from maggy.optimizer.sampling.model import ModelSampler
from maggy.optimizer.sampling.optuna_space import OptunaSpace
from maggy.optimizer.sampling.optuna_tools import quiet
from maggy.optimizer.sampling.rebuilt_study import RankedStudy, WarpedStudy
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np
    from optuna.samplers import BaseSampler


class StudySampler(ModelSampler):
    """Draws from a sampler of Optuna, which `_make` makes."""

    objectives: Literal["one", "many"] = "many"
    most = 1000

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        require("optuna", type(self).__name__, "search")
        super().begin(space, objectives, seed)
        self._seed = seed
        self._study: RankedStudy | WarpedStudy | LivingStudy | None = None

    def _load(self) -> None:
        if self._study is None:
            from optuna.samplers import GPSampler, TPESampler

            with quiet():
                sampler = self._make(self._seed)
            space = OptunaSpace(self._space, conditional=isinstance(sampler, TPESampler))
            if isinstance(sampler, TPESampler):
                self._study = RankedStudy(sampler, space, self._objectives)
            elif isinstance(sampler, GPSampler):
                self.most = 300
                self._study = WarpedStudy(sampler, space, self._objectives)
            else:
                self._study = LivingStudy(sampler, space, self._objectives)

    @abstractmethod
    def _make(self, seed: int) -> BaseSampler:
        """The sampler of Optuna. What it warns of is ignored."""

    def _proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        assert self._study is not None
        return self._study.proposals(history, known, pending, rng)


class OptunaSampler(StudySampler):
    """Draws from any sampler of Optuna.

    sampler            the sampler, of which a copy is used; or a function that takes a seed and returns one
    num_warmup_trials  how many trials must have a loss before it is asked; what it does itself at its start comes then
    random_fraction    the share of later draws that are random all the same

    The seed of the experiment rules, not that of the sampler, unless it keeps its generator where no sampler of Optuna
    does; then give a function. `TPESampler` and `GPSampler` see, at each draw, a study made of the history: at most
    1,000 observations for TPE and 300 for a Gaussian process, and what runs. Any other has a study of its own that is
    told what happens in the order in which it happens.
    """

    def __init__(
        self,
        sampler: BaseSampler | Callable[[int], BaseSampler],
        *,
        num_warmup_trials: int = 1,
        random_fraction: float = 0.0,
        pruner: str | None = None,
        pruner_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            num_warmup_trials=num_warmup_trials,
            random_fraction=random_fraction,
            pruner=pruner,
            pruner_kwargs=pruner_kwargs,
        )
        if not (is_of_optuna(sampler) or callable(sampler)):
            raise ConfigError(
                "OptunaSampler takes a sampler of Optuna, e.g. OptunaSampler(optuna.samplers.TPESampler()), or a "
                f"function that takes a seed and returns one; got {sampler!r}"
            )
        self._given = sampler

    @property
    def keeps_state(self) -> bool:  # type: ignore[override]
        from optuna.samplers import GPSampler, TPESampler

        return not isinstance(self._make(0), TPESampler | GPSampler)

    def _make(self, seed: int) -> BaseSampler:
        return self._given(seed) if callable(self._given) else deepcopy(self._given)


def is_of_optuna(value: object) -> TypeGuard[BaseSampler]:
    """Whether it is a sampler of Optuna."""
    optuna = sys.modules.get("optuna")  # whoever has made one has imported it
    return optuna is not None and isinstance(value, optuna.samplers.BaseSampler)
