"""Hyperparameters as columns: one value for each trial, and how an axis shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maggy.chronicle import About, Chronicle
from maggy.errors import PlotError, SearchspaceError, UnknownNameError
from maggy.searchspace import Parameter, Space
from maggy.searchspace.listed import Listed
from maggy.searchspace.parameters import Constant, key_of
from maggy.trial import Trial, flat

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "absent"})()
"""In place of the value of a hyperparameter that a trial does not have: None is a value."""


@dataclass(frozen=True)
class Column:
    """One hyperparameter.

    name     dotted, as in `Space.parameters`
    values   one for each trial; `ABSENT` where the trial does not have it
    choices  every value in order, where it is one of a list; None for a number
    log      whether it is searched on a logarithmic scale
    """

    name: str
    values: list[Any]
    choices: tuple[Any, ...] | None
    log: bool

    def places(self) -> list[float | None]:
        """Where each value stands: a number where it is, a choice at its index; None where there is none."""
        if self.choices is None:
            return [None if value is ABSENT else float(value) for value in self.values]
        index = {key_of(choice): float(place) for place, choice in enumerate(self.choices)}
        return [None if value is ABSENT else index[key_of(value)] for value in self.values]

    @property
    def names(self) -> list[str]:
        """What the choices are called."""
        return [str(choice) for choice in self.choices or ()]


def space_of(about: About) -> Space | None:
    """The search space; None where there is none, or it cannot be written down."""
    if about.space is None:
        return None
    try:
        return Space.from_json(json.dumps(about.space))
    except SearchspaceError:
        return None


def columns(chronicle: Chronicle, trials: Sequence[Trial], names: Sequence[str] | None) -> list[Column]:
    """The hyperparameters of these trials.

    names  which ones, in order; None: all that differ

    Raises UnknownNameError for one that there is not, PlotError if there is none.
    """
    space = space_of(chronicle.about)
    rows = [_flat(trial, space) for trial in trials]
    known: Mapping[str, Parameter | None] = space.parameters if space is not None else {}
    found = [
        _column(name, rows, known.get(name)) for name in dict.fromkeys([*known, *(n for row in rows for n in row)])
    ]
    if names is not None:
        by_name = {column.name: column for column in found}
        for name in names:
            if name not in by_name:
                raise UnknownNameError("hyperparameter", name, by_name)
        return [by_name[name] for name in names]
    varied = [column for column in found if not isinstance(known.get(column.name), Constant)]
    varied = [column for column in varied if len(set(map(_key, column.values))) > 1]
    if trials and not varied:
        raise PlotError("there is no hyperparameter in which the trials differ")
    return varied


def _flat(trial: Trial, space: Space | None) -> dict[str, Any]:
    """The values of a trial by name; also where a user's own optimizer has left the space."""
    if space is not None:
        try:
            return space.flat(trial.params)
        except SearchspaceError:
            pass
    return flat(trial.params)


def _column(name: str, rows: Sequence[Mapping[str, Any]], parameter: Parameter | None) -> Column:
    values = [row.get(name, ABSENT) for row in rows]
    there = [value for value in values if value is not ABSENT]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in there) and not isinstance(
        parameter, Listed
    ):
        log = bool(getattr(parameter, "log", False)) and all(value > 0 for value in there)
        return Column(name, values, None, log)
    listed = parameter.choices if isinstance(parameter, Listed) else sorted(there, key=str)
    choices = {key_of(value): value for value in [*listed, *there]}
    return Column(name, values, tuple(choices.values()), False)


def _key(value: Any) -> Any:
    return value if value is ABSENT else key_of(value)
