"""Hyperopt's TPE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from maggy.optimizer.history import History, Observation
from maggy.optimizer.sampling.hyperopt_space import HyperoptSpace
from maggy.optimizer.sampling.libraries import require
from maggy.optimizer.sampling.model import FEWEST, ModelSampler, share, whole
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np


class HyperoptTPE(ModelSampler):
    """The tree-structured Parzen estimator of Hyperopt, which models hyperparameters one by one.

    gamma              how many of n observations count as good: gamma times the square root of n, 25 at most
    n_samples          how many candidates it draws from the good ones, to take the best
    num_warmup_trials  how many trials must have a loss before it is asked; until then draws are random
    random_fraction    the share of later draws that are random all the same

    Running and failed trials count as bad. Hyperparameters that exist under a condition are modelled among the trials
    that have them.

    Source: Bergstra et al., NIPS 2011, and ICML 2013.
    """

    most = 500

    def __init__(
        self,
        gamma: float = 0.25,
        n_samples: int = 24,
        *,
        num_warmup_trials: int = FEWEST,
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
        self._gamma, self._n_samples = share("gamma", gamma), whole("n_samples", n_samples, 1)

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        require("hyperopt", "HyperoptTPE", "hyperopt")
        super().begin(space, objectives, seed)
        self._domain: Any = None

    def _load(self) -> None:
        if self._domain is None:
            import hyperopt

            self._translated = HyperoptSpace(self._space)
            self._domain = hyperopt.Domain(None, self._translated.expressions)

    def _proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        import hyperopt

        documents = [self._document(index, each.params, each.loss) for index, each in enumerate(known)]
        documents += [self._document(len(known) + index, params, None) for index, params in enumerate(pending)]
        while True:
            trials = hyperopt.trials_from_docs(documents, validate=False)
            number = len(documents)
            answer = hyperopt.tpe.suggest(
                [number],
                self._domain,
                trials,
                seed=int(rng.integers(2**31)),
                n_startup_jobs=0,
                n_EI_candidates=self._n_samples,
                gamma=self._gamma,
                verbose=False,
            )
            params = self._translated.asked({name: values[0] for name, values in answer[0]["misc"]["vals"].items()})
            documents = [*documents, self._document(number, params, None)]
            yield params

    def _document(self, number: int, params: Params, loss: float | None) -> dict[str, Any]:
        """A trial as Hyperopt keeps it; one without a loss counts as infinitely bad."""
        told = self._translated.told(params)
        values = {name: [told[name]] if name in told else [] for name in self._space.parameters}
        return {
            "tid": number,
            "state": 2,
            "spec": None,
            "exp_key": None,
            "owner": None,
            "version": 0,
            "book_time": None,
            "refresh_time": None,
            "result": {"status": "ok", "loss": loss},
            "misc": {
                "tid": number,
                "cmd": self._domain.cmd,
                "workdir": None,
                "vals": values,
                "idxs": {name: [number] * len(value) for name, value in values.items()},
            },
        }
