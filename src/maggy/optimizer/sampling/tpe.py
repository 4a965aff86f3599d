"""The tree-structured Parzen estimator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maggy.optimizer.sampling.model import FEWEST, INTERIM, share, unsupported, whole
from maggy.optimizer.sampling.optuna_sampler import StudySampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class TPE(StudySampler):
    """Prefers values that are denser among the good trials than among the others. Optuna's, multivariate.

    gamma              which share of the observations counts as good, 25 at most; None for a tenth
    n_samples          how many candidates it draws from the good ones, to take the best
    num_warmup_trials  how many trials must have a loss before it is asked; until then draws are random
    random_fraction    the share of later draws that are random all the same

    The other arguments are those of Maggy 1.x: only the values they had there unless given are accepted.

    Running trials count as bad, so parallel draws spread. Failed trials are the worst. Hyperparameters that exist under
    a condition are modelled among the trials that have them. With several objectives a trial is the better the earlier
    the Pareto front it is in, and hyperparameters are modelled one by one.

    Source: Bergstra et al., NIPS 2011; Watanabe, arXiv 2304.11127.
    """

    def __init__(
        self,
        gamma: float | None = None,
        n_samples: int = 24,
        bw_estimation: str | None = None,
        bw_factor: float | None = None,
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
        bandwidth = "the bandwidth follows from the number of observations; leave it out"
        unsupported(
            "TPE",
            {
                "bw_estimation": (bw_estimation, "normal_reference", bandwidth),
                "bw_factor": (bw_factor, 3, bandwidth),
                "interim_results": (interim_results, False, INTERIM.format("tpe")),
                "interim_results_interval": (interim_results_interval, 10, INTERIM.format("tpe")),
            },
        )
        self._gamma = None if gamma is None else _Gamma(share("gamma", gamma))
        self._n_samples = whole("n_samples", n_samples, 1)

    def _make(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(
            seed=seed,
            n_startup_trials=0,
            n_ei_candidates=self._n_samples,
            gamma=self._gamma,
            group=True,
        )


@dataclass(frozen=True)
class _Gamma:
    """How many of `n` observations count as good."""

    share: float

    def __call__(self, n: int) -> int:
        return min(math.ceil(self.share * n), 25)
