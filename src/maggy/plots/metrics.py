"""Metrics of trials, and the axis that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log10
from typing import Any

from maggy.chronicle import Chronicle
from maggy.errors import UnknownNameError
from maggy.plots.look import label
from maggy.trial import Objective, Trial

_DECADES = 2  # a metric whose better three quarters span more of them gets a logarithmic axis
_BEYOND = 8  # a bad tail that is so many times as long as the rest does not squeeze it


def objective_of(chronicle: Chronicle, key: str | None) -> Objective:
    """The objective with this key; None for the first.

    Raises UnknownNameError if there is none.
    """
    objectives = chronicle.about.objectives
    if key is None:
        return objectives[0]
    for objective in objectives:
        if objective.key == key:
            return objective
    raise UnknownNameError("objective", key, [objective.key for objective in objectives])


def metric_of(trial: Trial, chronicle: Chronicle, objective: Objective) -> float | None:
    """What a trial has come to; None without a result, or if it is no finite number.

    A trial that was promoted and runs on has what it came to before.
    """
    is_first = objective == chronicle.about.objectives[0]
    if not trial.state.final and trial.rungs and is_first:
        return trial.rungs[-1][1]
    if not trial.state.has_result:
        return None
    if is_first:
        value: Any = trial.final_metric
    else:
        value = (trial.metric_dict or {}).get(objective.key)
    return float(value) if isinstance(value, int | float) and isfinite(value) else None


def results(chronicle: Chronicle, objective: Objective) -> list[tuple[Trial, float]]:
    """The trials that have a result, and what it is, in the order in which they ended."""
    found = [(trial, metric_of(trial, chronicle, objective)) for trial in chronicle.trials.values()]
    with_value = [(trial, value) for trial, value in found if value is not None]
    return sorted(with_value, key=lambda pair: when_ended(pair[0]))


def when_ended(trial: Trial) -> tuple[float, int]:
    """Sorts trials by when they ended; one that runs on ended when that began."""
    return trial.end or trial.start or 0.0, trial.trial_id or 0


def best_of(found: Sequence[tuple[Trial, float]], objective: Objective) -> tuple[Trial, float] | None:
    """The best of them; of equals, the one that ended first."""
    return min(found, key=lambda pair: objective.sign * pair[1], default=None)


def metric_axis(values: Sequence[float], objective: Objective) -> tuple[dict[str, Any], str]:
    """An axis for a metric, on which the good ones can be told apart, and what the reader has to know about it."""
    axis: dict[str, Any] = {"title": {"text": f"{label(objective.key)} ({better(objective)})"}}
    ordered = sorted(values, key=lambda value: objective.sign * value)  # best first
    if len(ordered) < 4:
        return axis, ""
    best, usual, worst = ordered[0], ordered[(len(ordered) * 3) // 4], ordered[-1]
    if objective.direction == "min" and best > 0 and usual / best > 10**_DECADES:
        return {**axis, "type": "log"}, ""
    reach = abs(usual - best)
    if reach == 0 or abs(worst - best) <= _BEYOND * reach:
        return axis, ""
    end = best + objective.sign * 2 * reach
    hidden = sum(objective.sign * (value - end) > 0 for value in ordered)
    start = best - objective.sign * 0.1 * reach
    note = f"{hidden:,} far worse {'lies' if hidden == 1 else 'lie'} beyond the axis"
    return {**axis, "range": sorted((start, end))}, note


def is_wide(values: Sequence[float]) -> bool:
    """Whether positive numbers span so much that a logarithmic axis shows them better."""
    return bool(values) and min(values) > 0 and log10(max(values)) - log10(min(values)) > 1


def better(objective: Objective) -> str:
    """Which way is up."""
    return "smaller is better" if objective.direction == "min" else "larger is better"
