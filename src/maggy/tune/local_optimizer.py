"""The second level of a search: what a candidate leaves to choose is searched where it runs, one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from maggy.arguments import KeepsArguments
from maggy.errors import ConfigError, SearchspaceError
from maggy.optimizer import Draws, Sampler
from maggy.optimizer.names import sampler_named
from maggy.optimizer.sampling.hyperopt_space import HyperoptSpace
from maggy.optimizer.sampling.libraries import require
from maggy.optimizer.sampling.optuna_space import OptunaSpace
from maggy.optimizer.sampling.optuna_tools import quiet
from maggy.tracking.metric_logger import MetricLogger
from maggy.trial import Params
from maggy.tune.objective import NonIterativeObjectiveFunc, to_noniterative_objective
from maggy.tune.trial import Trial, TrialReport

if TYPE_CHECKING:
    import optuna

DEFAULT_MAX_ITER = 30


class NonIterativeObjectiveLocalOptimizer(KeepsArguments, ABC):
    """Searches what a candidate leaves to choose.

    Source: Fugue-Tune's class of this name.
    """

    @abstractmethod
    def run(self, func: NonIterativeObjectiveFunc, trial: Trial) -> TrialReport:
        """The best that was found; its `params` say where."""

    def check(self, trial: Trial) -> None:
        """Called before anything starts; raises ConfigError where it cannot search this candidate."""


class SamplerLocalOptimizer(NonIterativeObjectiveLocalOptimizer):
    """Any sampler of Maggy.

    sampler   a name, e.g. "tpe", or a `Sampler`
    max_iter  how many configurations are tried
    seed      of the draws; the same one for each candidate
    """

    def __init__(self, sampler: str | Sampler = "tpe", max_iter: int = DEFAULT_MAX_ITER, seed: int = 0) -> None:
        self._sampler, self._max_iter, self._seed = sampler_named(sampler), checked(max_iter), seed

    def run(self, func: NonIterativeObjectiveFunc, trial: Trial) -> TrialReport:
        draws = self._draws(trial)
        best = _Best(func, trial)
        number = 0
        while (draw := draws.fresh()) is not None:
            draws.history.began(number, draw.params)
            loss = best.tried(draw.params)
            draws.history.observed(number, None if loss is None else (loss,), None, runs=False)
            number += 1
        return best.report

    def check(self, trial: Trial) -> None:
        self._draws(trial)

    def _draws(self, trial: Trial) -> Draws:
        return Draws(deepcopy(self._sampler), trial.params.space, seed=self._seed, most=self._max_iter)


class HyperoptLocalOptimizer(NonIterativeObjectiveLocalOptimizer):
    """Hyperopt: one `fmin` for each candidate.

    max_iter     how many configurations are tried
    seed         of the draws; the same one for each candidate
    kwargs_func  called with the objective and the trial; returns further arguments of `fmin`, e.g. `algo`

    Hyperopt minimises the sort metric. It sees numbers as places in the unit interval, lists as indices.

    Source: Fugue-Tune's class of this name. Raises ConfigError where Hyperopt is not installed.
    """

    def __init__(
        self,
        max_iter: int,
        seed: int = 0,
        kwargs_func: Callable[[NonIterativeObjectiveFunc, Trial], dict[str, Any]] | None = None,
    ) -> None:
        require("hyperopt", type(self).__name__, "hyperopt")
        self._max_iter, self._seed, self._kwargs_func = checked(max_iter), seed, kwargs_func

    def run(self, func: NonIterativeObjectiveFunc, trial: Trial) -> TrialReport:
        import hyperopt
        import numpy as np

        space = HyperoptSpace(trial.params.space)
        best = _Best(func, trial)

        def objective(values: dict[str, Any]) -> dict[str, Any]:
            loss = best.tried(space.asked(values))
            return {"status": "fail"} if loss is None else {"status": "ok", "loss": loss}

        settings: dict[str, Any] = {
            "algo": hyperopt.tpe.suggest,
            "max_evals": self._max_iter,
            "rstate": np.random.default_rng(self._seed),
            "show_progressbar": False,
            "verbose": False,
        }
        if self._kwargs_func is not None:
            settings |= self._kwargs_func(func, trial)
        with suppress(hyperopt.exceptions.AllTrialsFailed):  # no loss is a number
            hyperopt.fmin(objective, space.expressions, **settings)
        return best.report


class OptunaLocalOptimizer(NonIterativeObjectiveLocalOptimizer):
    """Optuna: one study for each candidate.

    max_iter      how many configurations are tried
    create_study  makes a study that minimises; None for one with a `TPESampler` of seed 0

    The study's values are the sort metrics; it sees numbers as places in the unit interval, or as numbers of steps, and
    lists as indices.

    Source: Fugue-Tune's class of this name. Raises ConfigError where Optuna is not installed.
    """

    def __init__(self, max_iter: int, create_study: Callable[[], optuna.Study] | None = None) -> None:
        require("optuna", type(self).__name__, "search")
        self._max_iter, self._create_study = checked(max_iter), create_study

    def run(self, func: NonIterativeObjectiveFunc, trial: Trial) -> TrialReport:
        from optuna.study import StudyDirection
        from optuna.trial import TrialState

        with quiet():
            study = _seeded_study() if self._create_study is None else self._create_study()
        if study.directions != [StudyDirection.MINIMIZE]:
            raise ConfigError("create_study has to make a study that minimises one value: the sort metric")
        space = OptunaSpace(trial.params.space, conditional=True)
        best = _Best(func, trial)
        for _ in range(self._max_iter):
            with quiet():
                asked = study.ask()
                params = space.asked(asked)
            loss = best.tried(params)
            with quiet():
                study.tell(asked, loss, state=TrialState.FAIL if loss is None else None)
        return best.report


def _seeded_study() -> optuna.Study:
    import optuna

    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))


class _Best:
    """Tries configurations of a candidate, and keeps the best report."""

    def __init__(self, func: NonIterativeObjectiveFunc, trial: Trial) -> None:
        self._func, self._trial = func, trial
        self._report: TrialReport | None = None

    def tried(self, params: Params) -> float | None:
        """The sort metric; None where it is no finite number, and for what is forbidden, which is not run."""
        if not self._trial.params.space.allows(params):
            return None
        report = self._func.safe_run(self._trial.with_params(params))
        if self._report is None or isnan(self._report.sort_metric) or report.sort_metric < self._report.sort_metric:
            self._report = report
        return report.sort_metric if isfinite(report.sort_metric) else None

    @property
    def report(self) -> TrialReport:
        """The best. Raises SearchspaceError where everything was forbidden."""
        if self._report is None:
            raise SearchspaceError(f"every configuration that was drawn of {self._trial.params!r} is forbidden")
        return self._report


def checked(max_iter: Any) -> int:
    """Raise ConfigError unless this is a number of configurations to try."""
    if isinstance(max_iter, bool) or not isinstance(max_iter, int) or max_iter < 1:
        raise ConfigError(f"a local optimizer tries at least 1 configuration, got max_iter={max_iter!r}")
    return max_iter


def to_local_optimizer(value: object) -> NonIterativeObjectiveLocalOptimizer | None:
    """The local optimizer that is meant.

    value  "hyperopt" or "optuna", with ":N" for the number of configurations (30), the name of any sampler of Maggy in
           the same way, an object, or None for none

    Raises ConfigError, UnknownNameError.
    """
    if value is None or isinstance(value, NonIterativeObjectiveLocalOptimizer):
        return value
    if not isinstance(value, str):
        raise ConfigError(f"local_optimizer is e.g. 'hyperopt:20' or 'optuna:20', or an object, got {value!r}")
    name, _, count = value.lower().partition(":")
    if count and not count.strip().isdecimal():
        raise ConfigError(f"local_optimizer={value!r}: a number of configurations follows the colon, e.g. '{name}:20'")
    max_iter = int(count) if count else DEFAULT_MAX_ITER
    make = _NAMED.get(name)
    return SamplerLocalOptimizer(name, max_iter) if make is None else make(max_iter)


_NAMED: dict[str, Callable[[int], NonIterativeObjectiveLocalOptimizer]] = {
    "hyperopt": HyperoptLocalOptimizer,
    "optuna": OptunaLocalOptimizer,
}


def validate_noniterative_objective(
    func: Any,
    trial: Trial,
    validator: Callable[[TrialReport], None],
    optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
    logger: MetricLogger | None = None,
) -> None:
    """Run an objective once, here, the way workers run it, before any scale.

    validator  is given the report, and raises where it is not as it should be
    optimizer  a local optimizer, where the trial leaves something to choose
    logger     is given the report too

    Source: Fugue-Tune's function of this name.

    Raises whatever the objective and the validator raise.
    """
    report = evaluate(to_noniterative_objective(func), trial, to_local_optimizer(optimizer))
    if logger is not None:
        logger.log_report(report)
    validator(report)


def evaluate(
    objective: NonIterativeObjectiveFunc, trial: Trial, optimizer: NonIterativeObjectiveLocalOptimizer | None
) -> TrialReport:
    """The report of one candidate: run once, or searched for the best where something is left to choose.

    Raises SearchspaceError where something is left and there is no optimizer.
    """
    if trial.params.empty:
        return objective.safe_run(trial)
    if optimizer is None:
        return objective.safe_run(trial.with_params(trial.params.simple_value))  # which raises
    return optimizer.run(objective, trial)
