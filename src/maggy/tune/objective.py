"""Objectives that are run once for each candidate."""

from __future__ import annotations

import inspect
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any, overload

from maggy.errors import ConfigError
from maggy.tune.trial import Trial, TrialReport


class NonIterativeObjectiveFunc(ABC):
    """An objective that is run once for each candidate.

    Source: Fugue-Tune's class of this name.
    """

    def generate_sort_metric(self, value: float) -> float:
        """What candidates are sorted by, smaller is better; override it to return `-value` where larger is better."""
        return float(value)

    @abstractmethod
    def run(self, trial: Trial) -> TrialReport:
        """Try a candidate, with nothing left to choose: `trial.params.simple_value`."""

    def safe_run(self, trial: Trial) -> TrialReport:
        """`run`, with what it says made complete: the sort metric, and the parameters."""
        report = self.run(trial)
        if not isinstance(report, TrialReport):
            raise TypeError(f"{type(self).__name__}.run has to return a TrialReport, got {type(report).__name__}")
        return report.with_sort_metric(self.generate_sort_metric(report.metric))


class FunctionObjective(NonIterativeObjectiveFunc):
    """A function as an objective; calling it calls the function.

    function    takes the parameters and the tables by name; or one argument that is annotated as `Trial`. Returns a
                number, or a pair of a number and a dict of metadata
    min_better  whether smaller is better
    """

    def __init__(self, function: Callable[..., Any], min_better: bool = True) -> None:
        if not callable(function):
            raise ConfigError(f"an objective is a function, or a NonIterativeObjectiveFunc, got {function!r}")
        update_wrapper(self, function, updated=())  # what an object has beside its name is its own
        self.function, self.min_better = function, min_better
        self._trial_argument = _argument_of(function, Trial)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def generate_sort_metric(self, value: float) -> float:
        return float(value) if self.min_better else -float(value)

    def run(self, trial: Trial) -> TrialReport:
        given = {**trial.params.simple_value, **trial.dfs}
        if self._trial_argument is not None:
            given = {self._trial_argument: trial}
        value = self.function(**given)
        if isinstance(value, TrialReport):
            return value
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Mapping):
            return TrialReport(trial, value[0], metadata=value[1])
        try:
            return TrialReport(trial, value)
        except (TypeError, ValueError, OverflowError):
            name = getattr(self, "__name__", type(self.function).__name__)
            raise TypeError(
                f"{name} has to return a number, or a pair of a number and a dict of metadata, got {value!r:.200}"
            ) from None


@overload
def noniterative_objective(func: Callable[..., Any]) -> FunctionObjective: ...
@overload
def noniterative_objective(
    func: None = None, min_better: bool = True
) -> Callable[[Callable[..., Any]], FunctionObjective]: ...
def noniterative_objective(func: Callable[..., Any] | None = None, min_better: bool = True) -> Any:
    """Make a function an objective, which can still be called: `@noniterative_objective(min_better=False)`.

    min_better  whether smaller is better

    Source: Fugue-Tune's decorator of this name.
    """
    if func is None:
        return lambda function: FunctionObjective(function, min_better)
    return FunctionObjective(func, min_better)


def to_noniterative_objective(objective: object, min_better: bool = True) -> NonIterativeObjectiveFunc:
    """The objective that is meant: a `NonIterativeObjectiveFunc`, an object of it, or a function.

    Raises ConfigError for anything else.
    """
    if isinstance(objective, type) and issubclass(objective, NonIterativeObjectiveFunc):
        return objective()
    if isinstance(objective, NonIterativeObjectiveFunc):
        return objective
    return FunctionObjective(objective, min_better)  # type: ignore[arg-type]  # it checks


def _argument_of(function: Callable[..., Any], kind: type) -> str | None:
    """The name of the argument that is annotated as `kind`."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # an annotation names what does not exist here
        hints = {name: each.annotation for name, each in inspect.signature(function).parameters.items()}
    meant = (kind, kind.__name__)
    return next((name for name, hint in hints.items() if name != "return" and hint in meant), None)
