"""Any sampler of Optuna."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from maggy.errors import ConfigError
from maggy.optimizer.history import History, Observation
from maggy.optimizer.libraries import required
from maggy.optimizer.model import ModelSampler
from maggy.optimizer.optuna_space import OptunaSpace
from maggy.optimizer.optuna_studies import LivingStudy, RebuiltStudy, Study, quiet
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np
    from optuna.samplers import BaseSampler


class OptunaSampler(ModelSampler):
    """Draws from a sampler of Optuna.

    sampler            the sampler, which stays as it is: a copy of it is used; or a function that takes a seed and
                       returns one
    num_warmup_trials  how many trials must have a loss before it is asked; what it does itself at its start comes then
    random_fraction    the share of later draws that are random all the same

    The seed of the experiment rules, not that of the sampler, unless it keeps its generator where no sampler of Optuna
    does; then give a function. `TPESampler` and `GPSampler` see, at each draw, a study made of the history: at most
    1,000 observations for TPE and 300 for a Gaussian process, and what runs. Any other has a study of its own that is
    told what happens in the order in which it happens.
    """

    objectives = "many"

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
        self._given = sampler

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        super().begin(space, objectives, seed)
        required("optuna", type(self).__name__, "search")
        from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, TPESampler

        with quiet():
            sampler = self._make(seed)
        if not isinstance(sampler, BaseSampler):
            raise ConfigError(
                "OptunaSampler takes a sampler of Optuna, e.g. OptunaSampler(optuna.samplers.TPESampler()), or a "
                f"function that takes a seed and returns one; got {sampler!r}"
            )
        if objectives > 1 and isinstance(sampler, CmaEsSampler):
            raise ConfigError(f"CMA-ES cannot weigh {objectives} objectives against each other; use 'nsga2' or 'tpe'")
        conditional = isinstance(sampler, TPESampler)
        translated = OptunaSpace(space, conditional=conditional)
        self._study: Study
        if isinstance(sampler, GPSampler):
            required("torch", type(self).__name__, "gp")
            required("scipy", type(self).__name__, "gp")
            self.most = 300
        else:
            self.most = 1000
        if isinstance(sampler, TPESampler | GPSampler):
            self._study = RebuiltStudy(sampler, translated, objectives, failed_is_bad=conditional)
        else:
            self._study = LivingStudy(sampler, translated, objectives)

    def _make(self, seed: int) -> Any:
        """The sampler to draw from."""
        given = self._given
        return given(seed) if callable(given) else deepcopy(given)

    def _proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        return self._study.proposals(history, known, pending, rng)
