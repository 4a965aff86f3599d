"""The peers, each driven through its own ask and tell, with the settings it comes with.

Where a peer stops trials, its rungs are those of everybody here: steps 1, 3, 9, 27 and 81, a third goes on.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np

from benchmarks.search_quality.contestants import Contestant, Random
from benchmarks.search_quality.space import Params, Space, Spec, active, options

ETA = 3


class Optuna(Contestant):
    """`study.ask`, `trial.report`, `trial.should_prune`, `study.tell`. Running trials are in its storage.

    sampler  "TPESampler" or "GPSampler"
    pruner   "SuccessiveHalvingPruner" or "HyperbandPruner"
    """

    def __init__(self, sampler: str, pruner: str | None = None) -> None:
        self._sampler, self._pruner, self.stops = sampler, pruner, pruner is not None

    def start(self, space: Space, seed: int, steps: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.NopPruner()
        if self._pruner == "SuccessiveHalvingPruner":
            pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=ETA)
        elif self._pruner:
            pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=steps, reduction_factor=ETA)
        sampler = getattr(optuna.samplers, self._sampler)(seed=seed)
        # brackets depend on the name of the study, which would else be a random one
        self._study = optuna.create_study(sampler=sampler, pruner=pruner, study_name=f"study-{seed}")
        self._pruned = optuna.trial.TrialState.PRUNED
        self._space, self._trials = space, {}

    def ask(self) -> tuple[int, Params]:
        trial = self._study.ask()
        params: Params = {}
        for name, spec in self._space.items():
            if active(spec, params):
                params[name] = self._suggest(trial, name, spec)
        self._trials[trial.number] = trial
        return trial.number, params

    def report(self, key: int, step: int, loss: float) -> bool:
        trial = self._trials[key]
        trial.report(loss, step)
        if not trial.should_prune():
            return False
        self._study.tell(trial, state=self._pruned)
        return True

    def tell(self, key: int, loss: float) -> None:
        self._study.tell(self._trials.pop(key), loss)

    @staticmethod
    def _suggest(trial: Any, name: str, spec: Spec) -> Any:
        kind, values = spec[:2]
        if kind == "CATEGORICAL":
            return trial.suggest_categorical(name, values)
        suggest = trial.suggest_int if kind == "INTEGER" else trial.suggest_float
        return suggest(name, *values, log=options(spec).get("log", False))


class Hyperopt(Contestant):
    """What its `fmin` does: `tpe.suggest` over a `Trials` that holds running trials too, without a loss.

    algorithm  "tpe" or "rand"
    """

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm

    def start(self, space: Space, seed: int, steps: int) -> None:
        import hyperopt
        from hyperopt.base import Domain

        logging.getLogger("hyperopt").setLevel(logging.ERROR)
        self._space = {name: self._expression(name, spec, space) for name, spec in space.items() if not when(spec)}
        self._suggest = getattr(hyperopt, self._algorithm).suggest
        self._trials, self._hyperopt = hyperopt.Trials(), hyperopt
        self._domain = Domain(lambda params: 0.0, self._space)
        self._rng = np.random.default_rng(seed)
        self._whole = {name: spec[1] for name, spec in space.items() if spec[0] == "INTEGER"}

    def ask(self) -> tuple[int, Params]:
        [key] = self._trials.new_trial_ids(1)
        self._trials.refresh()
        documents = self._suggest([key], self._domain, self._trials, int(self._rng.integers(2**31 - 1)))
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()
        document = self._document(key)
        document["state"] = self._hyperopt.JOB_STATE_RUNNING
        chosen = {name: values[0] for name, values in document["misc"]["vals"].items() if values}
        return key, self._flat(self._hyperopt.space_eval(self._space, chosen))

    def tell(self, key: int, loss: float) -> None:
        document = self._document(key)
        document["state"] = self._hyperopt.JOB_STATE_DONE
        document["result"] = {"loss": loss, "status": self._hyperopt.STATUS_OK}
        self._trials.refresh()

    def _document(self, key: int) -> dict[str, Any]:
        return self._trials._dynamic_trials[key]  # type: ignore[no-any-return]

    def _expression(self, name: str, spec: Spec, space: Space) -> Any:
        from hyperopt import hp

        kind, values = spec[:2]
        if kind == "CATEGORICAL":
            return hp.choice(name, [self._option(name, value, space) for value in values])
        if options(spec).get("log"):
            low, high = (float(np.log(value)) for value in values)
            return hp.qloguniform(name, low, high, 1) if kind == "INTEGER" else hp.loguniform(name, low, high)
        return hp.uniformint(name, *values) if kind == "INTEGER" else hp.uniform(name, *values)

    def _option(self, name: str, value: Any, space: Space) -> Any:
        """A category, with what exists only under it."""
        below = {key: self._expression(key, spec, space) for key, spec in space.items() if when(spec) == {name: value}}
        return {name: value, **below} if below else value

    def _flat(self, params: Params) -> Params:
        flat: Params = {}
        for name, value in params.items():
            flat |= value if isinstance(value, dict) else {name: value}
        for name in self._whole.keys() & flat.keys():
            low, high = self._whole[name]
            flat[name] = min(max(round(flat[name]), low), high)
        return flat


class SyneTune(Contestant):
    """The schedulers as its `Tuner` calls them. Its spaces have no conditions: it chooses what is then not used.

    scheduler  "TPE" or "BOTorch", "ASHA" or "BOHB"
    """

    def __init__(self, scheduler: str) -> None:
        self._scheduler_name, self.stops = scheduler, scheduler in ("ASHA", "BOHB")

    def start(self, space: Space, seed: int, steps: int) -> None:
        logging.disable(logging.WARNING)
        from syne_tune.optimizer import baselines

        np.random.seed(seed)  # noqa: NPY002  its first draws come from numpy's global stream
        rungs = {"time_attr": "step", "max_t": steps, "grace_period": 1, "reduction_factor": ETA} if self.stops else {}
        self._scheduler = getattr(baselines, self._scheduler_name)(
            config_space={name: self._domain(spec) for name, spec in space.items()},
            metric="loss",
            random_seed=seed,
            **rungs,
        )
        self._space, self._steps, self._trials = space, steps, {}

    def ask(self) -> tuple[int, Params]:
        from syne_tune.backend.trial_status import Trial

        config = self._scheduler.suggest().config
        key = len(self._trials)
        self._trials[key] = Trial(trial_id=key, config=config, creation_time=datetime.now())
        self._scheduler.on_trial_add(self._trials[key])
        params: Params = {}
        for name, spec in self._space.items():
            if active(spec, params):
                params[name] = config[name]
        return key, params

    def report(self, key: int, step: int, loss: float) -> bool:
        trial = self._trials[key]
        if self._scheduler.on_trial_result(trial, {"loss": loss, "step": step}) != "STOP":
            return False
        self._scheduler.on_trial_remove(trial)
        return True

    def tell(self, key: int, loss: float) -> None:
        trial, result = self._trials[key], {"loss": loss, "step": self._steps}
        if self._scheduler.on_trial_result(trial, result) == "STOP":
            self._scheduler.on_trial_remove(trial)
        else:
            self._scheduler.on_trial_complete(trial, result)

    @staticmethod
    def _domain(spec: Spec) -> Any:
        from syne_tune import config_space

        kind, values = spec[:2]
        if kind == "CATEGORICAL":
            return config_space.choice(values)
        log = options(spec).get("log", False)
        if kind == "INTEGER":
            return config_space.lograndint(*values) if log else config_space.randint(*values)
        return config_space.loguniform(*values) if log else config_space.uniform(*values)


def when(spec: Spec) -> dict[str, Any]:
    return options(spec).get("when", {})


PEERS: dict[str, Callable[[], Contestant]] = {
    "random": Random,
    "optuna-tpe": lambda: Optuna("TPESampler"),
    "optuna-gp": lambda: Optuna("GPSampler"),
    "optuna-tpe-asha": lambda: Optuna("TPESampler", "SuccessiveHalvingPruner"),
    "optuna-tpe-hyperband": lambda: Optuna("TPESampler", "HyperbandPruner"),
    "optuna-asha": lambda: Optuna("RandomSampler", "SuccessiveHalvingPruner"),
    "hyperopt-tpe": lambda: Hyperopt("tpe"),
    "hyperopt-random": lambda: Hyperopt("rand"),
    "synetune-tpe": lambda: SyneTune("TPE"),
    "synetune-gp": lambda: SyneTune("BOTorch"),
    "synetune-asha": lambda: SyneTune("ASHA"),
    "synetune-bohb": lambda: SyneTune("BOHB"),
}
