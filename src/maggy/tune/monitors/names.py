"""Which monitors are meant."""

from __future__ import annotations

from collections.abc import Sequence

from maggy.errors import ConfigError, UnknownNameError
from maggy.tune.monitor import Monitor
from maggy.tune.monitors.hist import NotebookSimpleHist
from maggy.tune.monitors.rungs import NotebookSimpleRungs
from maggy.tune.monitors.series import NotebookSimpleTimeSeries
from maggy.tune.monitors.text import PrintBest

_NAMED: dict[str, type[Monitor]] = {
    "rungs": NotebookSimpleRungs,
    "hist": NotebookSimpleHist,
    "ts": NotebookSimpleTimeSeries,
    "text": PrintBest,
}


def to_monitors(value: object) -> Sequence[Monitor]:
    """The monitors that are meant: None, "rungs", "hist", "ts", "text", a `Monitor`, or several.

    Raises UnknownNameError, ConfigError.
    """
    match value:
        case None:
            return []
        case Monitor():
            return [value]
        case str():
            if value.lower() not in _NAMED:
                raise UnknownNameError("monitor", value, _NAMED)
            return [_NAMED[value.lower()]()]
        case list() | tuple():
            return [monitor for each in value for monitor in to_monitors(each)]
        case _:
            raise ConfigError(f"monitor is {', '.join(map(repr, _NAMED))}, a Monitor, or several, got {value!r}")
