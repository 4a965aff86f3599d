"""The table of trials: rows, their order, and which of them are asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from maggy.chronicle import Chronicle
from maggy.errors import ConfigError
from maggy.trial import Trial, TrialState, flat

MOST_ROWS = 200  # on one page
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {"<=": le, ">=": ge, "!=": ne, "<": lt, ">": gt, "=": eq, ":": eq}
_TERM = re.compile(r"([^<>=!:]+)(<=|>=|!=|<|>|=|:)(.+)")
_FIELDS: dict[str, Callable[[Trial], Any]] = {
    "trial": lambda trial: trial.trial_id,
    "state": lambda trial: str(trial.state),
    "metric": lambda trial: trial.final_metric,
    "best_metric": lambda trial: trial.best_metric,
    "points": lambda trial: trial.num_points,
    "duration": lambda trial: trial.run_s or None,
    "worker": lambda trial: trial.worker,
    "attempt": lambda trial: trial.attempt,
    "budget": lambda trial: trial.budget,
    "rung": lambda trial: trial.rung,
    "bracket": lambda trial: trial.bracket,
    "origin": lambda trial: trial.origin,
    "reason": lambda trial: trial.reason or trial.error,
    "start": lambda trial: trial.start,
}


def param_names(trials: Iterable[Trial]) -> list[str]:
    """The hyperparameters that the first thousand of these trials have."""
    names: dict[str, None] = {}
    for trial, _ in zip(trials, range(1000), strict=False):
        names |= dict.fromkeys(flat(trial.params))
    return list(names)


def row(trial: Trial, now: float) -> dict[str, Any]:
    """A trial as the table shows it.

    now  until when a running trial has run, in seconds since the epoch
    """
    running = trial.start is not None and trial.state in (TrialState.RUNNING, TrialState.STOPPING)
    return {
        **{name: value(trial) for name, value in _FIELDS.items()},
        "duration": trial.run_s + (max(0.0, now - trial.start) if running and trial.start else 0.0),
        "params": flat(trial.params),
    }


def chosen(chronicle: Chronicle, *, query: str = "", sort: str = "trial", down: bool = False) -> list[Trial]:
    """The trials that a filter leaves, in order; those without a value come last.

    query  words that all have to fit: `lr<0.01`, `state:failed`, `units>=64`, or a part of any value
    sort   a column, or a hyperparameter by its name

    Raises ConfigError for a column that there is not.
    """
    terms = [_term(word) for word in query.split()]
    trials = [trial for trial in chronicle.trials.values() if all(fits(trial) for fits in terms)]
    if sort == "trial":
        return trials[::-1] if down else trials
    value = _column(sort, param_names(chronicle.trials.values()))
    keyed = [(value(trial), trial) for trial in trials]
    there = [pair for pair in keyed if pair[0] is not None]
    if not all(isinstance(key, int | float) for key, _ in there):
        there = [(str(key), trial) for key, trial in there]
    there.sort(key=lambda pair: pair[0], reverse=down)
    return [trial for _, trial in there] + [trial for key, trial in keyed if key is None]


def page(trials: Sequence[Trial], number: int, size: int) -> tuple[Sequence[Trial], int]:
    """The trials of a page, counted from 1, and which page that is: the last one where there are fewer."""
    size = max(1, min(size, MOST_ROWS))
    number = max(1, min(number, -(-len(trials) // size)))
    return trials[(number - 1) * size : number * size], number


def _column(name: str, params: Sequence[str]) -> Callable[[Trial], Any]:
    if name in _FIELDS:
        return _FIELDS[name]
    if name in params:
        return lambda trial: _param(trial, name)
    raise ConfigError(f"there is no column {name!r}; columns: {', '.join([*_FIELDS, *params])}")


def _param(trial: Trial, name: str) -> Any:
    return trial.params[name] if name in trial.params else flat(trial.params).get(name)


def _term(word: str) -> Callable[[Trial], bool]:
    match = _TERM.fullmatch(word)
    if match is None:
        text = word.lower()
        return lambda trial: text in _text(trial)
    name, sign, wanted = match.groups()
    compare = _COMPARED[sign]
    value = _FIELDS.get(name) or (lambda trial: _param(trial, name))

    def fits(trial: Trial) -> bool:
        found = value(trial)
        if found is None:
            return False
        if isinstance(found, int | float) and not isinstance(found, bool):
            try:
                return compare(found, float(wanted))
            except ValueError:
                return False
        return compare(str(found).lower(), wanted.lower())

    return fits


def _text(trial: Trial) -> str:
    values = [trial.trial_id, trial.state, trial.reason, trial.error, trial.origin, *flat(trial.params).values()]
    return json.dumps(values, default=str, ensure_ascii=False).lower()
