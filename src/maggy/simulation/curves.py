"""What a configuration would show if it were trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from maggy.errors import ConfigError
from maggy.trial import Params


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The metric of a configuration after each step, and how long its steps take.

    values   one for each step, from step 1 on, in the user's sign; with several objectives a dict of such lists by key
    seconds  that a step takes: one number, or one for each step

    Raises ValueError for a curve without a step, for lists of different lengths, and for seconds below 0.
    """

    values: Sequence[float] | Mapping[str, Sequence[float]]
    seconds: float | Sequence[float] = 1.0

    def __post_init__(self) -> None:
        columns = list(self.values.values()) if isinstance(self.values, Mapping) else [self.values]
        lengths = sorted({len(column) for column in columns})
        if not lengths or lengths[0] < 1 or len(lengths) > 1:
            raise ValueError(f"a learning curve needs at least one step, and as many for each key; got {self.values!r}")
        times = self.seconds if isinstance(self.seconds, Iterable) else [self.seconds] * lengths[0]
        if len(times) != lengths[0]:
            raise ValueError(f"a learning curve of {lengths[0]} steps has {len(times)} times in seconds")
        if not (isfinite(sum(times)) and min(times) >= 0):
            raise ValueError(f"a step cannot take {self.seconds!r} seconds")


CurveSource = Callable[[Params], Any]
"""Gives a configuration's `LearningCurve`, or what a function without steps would return: a number, or a dict."""


def curve_source(curves: Any) -> CurveSource:
    """What is called with a configuration.

    curves  a function, or an object with the methods `curve(params)` and `seconds(params)`

    Raises ConfigError for anything else.
    """
    if callable(getattr(curves, "curve", None)) and callable(getattr(curves, "seconds", None)):
        return lambda params: LearningCurve(curves.curve(params), curves.seconds(params))
    if callable(curves):
        return curves  # type: ignore[no-any-return]
    raise ConfigError(
        "curves has to be a function of a configuration, or an object with the methods curve(params) and "
        f"seconds(params), got {curves!r}"
    )
