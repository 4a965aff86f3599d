"""Bayesian optimisation with a Gaussian process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maggy.optimizer.sampling.libraries import require
from maggy.optimizer.sampling.model import FEWEST, INTERIM, unsupported
from maggy.optimizer.sampling.optuna_sampler import StudySampler
from maggy.searchspace import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class GP(StudySampler):
    """Fits a Gaussian process, and draws where it expects the largest improvement. Optuna's.

    num_warmup_trials  how many trials must have a loss before it is asked; until then draws are random
    random_fraction    the share of later draws that are random all the same

    The other arguments are those of Maggy 1.x: only the values they had there unless given are accepted.

    The improvement is expected over what running trials may turn out to be, so parallel draws spread. Failed trials
    count as bad as the worst, and losses above the median by their rank. Hyperparameters that do not exist under a
    condition stand in the middle. With several objectives it improves the hypervolume.

    It is fitted to 300 observations at most, which takes a second or less. Needs torch.

    Source: Snoek et al., arXiv 1206.2944; Ament et al., arXiv 2310.20708; Song et al., arXiv 2408.11527, for the ranks.
    """

    def __init__(
        self,
        async_strategy: str | None = None,
        impute_strategy: str | None = None,
        acq_fun: str | None = None,
        acq_fun_kwargs: Mapping[str, Any] | None = None,
        acq_optimizer: str | None = None,
        acq_optimizer_kwargs: Mapping[str, Any] | None = None,
        num_warmup_trials: int = FEWEST,
        random_fraction: float = 0.0,
        interim_results: bool = False,
        interim_results_interval: int | None = None,
        pruner: str | None = None,
        pruner_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            num_warmup_trials=num_warmup_trials,
            random_fraction=random_fraction,
            pruner=pruner,
            pruner_kwargs=pruner_kwargs,
        )
        running = "the improvement is expected over what running trials may turn out to be; leave it out"
        acquisition = "the acquisition function is the expected improvement, in logarithms; leave it out"
        unsupported(
            "GP",
            {
                "async_strategy": (async_strategy, "impute", running),
                "impute_strategy": (impute_strategy, "cl_min", running),
                "acq_fun": (acq_fun, "EI", acquisition),
                "acq_fun_kwargs": (acq_fun_kwargs, None, acquisition),
                "acq_optimizer": (acq_optimizer, "lbfgs", acquisition),
                "acq_optimizer_kwargs": (acq_optimizer_kwargs, None, acquisition),
                "interim_results": (interim_results, False, INTERIM.format("gp")),
                "interim_results_interval": (interim_results_interval, 10, INTERIM.format("gp")),
            },
        )

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        for library in ("torch", "scipy"):
            require(library, "GP", "gp")
        super().begin(space, objectives, seed)

    def _make(self, seed: int) -> BaseSampler:
        from optuna.samplers import GPSampler

        return GPSampler(seed=seed, n_startup_trials=0)
