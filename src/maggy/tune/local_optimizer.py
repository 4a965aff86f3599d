"""The second level of a search: what a candidate leaves to choose is searched where it runs, one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from maggy.arguments import KeepsArguments
from maggy.errors import ConfigError
from maggy.optimizer import Draws, Sampler
from maggy.optimizer.names import sampler_named
from maggy.tune.objective import NonIterativeObjectiveFunc, to_noniterative_objective
from maggy.tune.trial import Trial, TrialReport

DEFAULT_MAX_ITER = 30


class NonIterativeObjectiveLocalOptimizer(KeepsArguments, ABC):
    """Searches what a candidate leaves to choose.

    Source: Fugue-Tune's class of this name.
    """

    @abstractmethod
    def run(self, func: NonIterativeObjectiveFunc, trial: Trial) -> TrialReport:
        """The best that was found; its `params` say where."""


class SamplerLocalOptimizer(NonIterativeObjectiveLocalOptimizer):
    """Any sampler of Maggy.

    sampler   a name, e.g. "tpe", or a `Sampler`
    max_iter  how many configurations are tried
    seed      of the draws; the same one for each candidate
    """

    def __init__(self, sampler: str | Sampler = "tpe", max_iter: int = DEFAULT_MAX_ITER, seed: int = 0) -> None:
        self._sampler, self._max_iter, self._seed = sampler_named(sampler), checked(max_iter), seed

    def run(self, func: NonIterativeObjectiveFunc, trial: Trial) -> TrialReport:
        draws = Draws(self._sampler, trial.params.space, seed=self._seed, most=self._max_iter)
        best: TrialReport | None = None
        number = 0
        while (draw := draws.fresh()) is not None:
            draws.history.began(number, draw.params)
            report = func.safe_run(trial.with_params(draw.params))
            draws.history.observed(number, (report.sort_metric,), None, runs=False)
            best = better(best, report)
            number += 1
        assert best is not None
        return best


def better(best: TrialReport | None, report: TrialReport) -> TrialReport:
    """The report with the smaller sort metric; NaN is never better."""
    return report if best is None or report.sort_metric < best.sort_metric else best


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
    named: dict[str, Callable[[int], NonIterativeObjectiveLocalOptimizer]] = {}
    make = named.get(name)
    return SamplerLocalOptimizer(name, max_iter) if make is None else make(max_iter)


def validate_noniterative_objective(
    func: Any,
    trial: Trial,
    validator: Callable[[TrialReport], None],
    optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
) -> None:
    """Run an objective once, here, the way workers run it, before any scale.

    validator  is given the report, and raises where it is not as it should be
    optimizer  a local optimizer, where the trial leaves something to choose

    Source: Fugue-Tune's function of this name.

    Raises whatever the objective and the validator raise.
    """
    validator(evaluate(to_noniterative_objective(func), trial, to_local_optimizer(optimizer)))


def evaluate(
    objective: NonIterativeObjectiveFunc, trial: Trial, optimizer: NonIterativeObjectiveLocalOptimizer | None
) -> TrialReport:
    """The report of one candidate: run once, or searched for the best where something is left to choose.

    Raises SearchspaceError where something is left and there is no optimizer.
    """
    if optimizer is None or trial.params.empty:
        return objective.safe_run(trial.with_params(trial.params.simple_value))
    return optimizer.run(objective, trial)
