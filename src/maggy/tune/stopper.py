"""When the search of one partition has found enough."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

from maggy.errors import ConfigError
from maggy.tune.trial import TrialReport


class NonIterativeStopper(ABC):
    """Says after each report whether enough has been found. `&` and `|` combine two.

    It sees the reports of one partition; each partition gets a copy of its own.

    Source: Fugue-Tune's class of this name.
    """

    log_best_only = False
    """Whether `reports` has only those that were the best so far when they came."""

    def __init__(self) -> None:
        self._reports: list[TrialReport] = []
        self._best: TrialReport | None = None

    @abstractmethod
    def should_stop(self, current: TrialReport, updated: bool, reports: Sequence[TrialReport]) -> bool:
        """Whether to stop.

        current  the newest report
        updated  whether it is the best so far
        reports  all so far with the newest, or the best ones, see `log_best_only`
        """

    def judge(self, report: TrialReport) -> bool:
        """Take in a report; whether to stop."""
        updated = self._best is None or report.sort_metric < self._best.sort_metric
        if updated:
            self._best = report
        if updated or not self.log_best_only:
            self._reports.append(report)
        return self.should_stop(report, updated, self._reports)

    def fresh(self) -> NonIterativeStopper:
        """A copy that has seen nothing."""
        other = deepcopy(self)
        other._reports, other._best = [], None
        return other

    def __and__(self, other: NonIterativeStopper) -> NonIterativeStopper:
        return _Combined(all, self, other)

    def __or__(self, other: NonIterativeStopper) -> NonIterativeStopper:
        return _Combined(any, self, other)


class SimpleNonIterativeStopper(NonIterativeStopper):
    """A function as a stopper: `fn(current, updated, reports)`, see `NonIterativeStopper.should_stop`."""

    def __init__(
        self, fn: Callable[[TrialReport, bool, Sequence[TrialReport]], bool], log_best_only: bool = False
    ) -> None:
        super().__init__()
        self._fn, self.log_best_only = fn, log_best_only

    def should_stop(self, current: TrialReport, updated: bool, reports: Sequence[TrialReport]) -> bool:
        return bool(self._fn(current, updated, reports))


class _Combined(NonIterativeStopper):
    """Each of two sees every report; both are asked, so that neither misses one."""

    def __init__(self, how: Callable[[list[bool]], bool], *parts: NonIterativeStopper) -> None:
        super().__init__()
        self._how, self._parts = how, [part.fresh() for part in parts]

    def judge(self, report: TrialReport) -> bool:
        return self._how([part.judge(report) for part in self._parts])

    def should_stop(self, current: TrialReport, updated: bool, reports: Sequence[TrialReport]) -> bool:
        raise NotImplementedError  # `judge` asks the parts

    def fresh(self) -> NonIterativeStopper:
        return _Combined(self._how, *self._parts)


def n_samples(n: int) -> NonIterativeStopper:
    """Stop after `n` reports."""
    count = _count("n_samples", n)
    return SimpleNonIterativeStopper(lambda current, updated, reports: len(reports) >= count)


def n_updates(n: int) -> NonIterativeStopper:
    """Stop when the best has been improved `n` times; the first report counts."""
    count = _count("n_updates", n)
    return SimpleNonIterativeStopper(lambda current, updated, reports: len(reports) >= count, log_best_only=True)


def no_update_period(period: Any) -> NonIterativeStopper:
    """Stop when the best has not been improved for so long.

    period  a timedelta, a number of seconds, or text such as "30sec", "5min", "1h"
    """
    limit = to_timedelta(period)
    return SimpleNonIterativeStopper(
        lambda current, updated, reports: not updated and current.log_time - reports[-1].log_time > limit,
        log_best_only=True,
    )


def small_improvement(threshold: str | float, updates: int) -> NonIterativeStopper:
    """Stop when the last improvements were small.

    threshold  how much, all together: a number, or a share of what it was before, e.g. "1%"
    updates    how many improvements are looked at
    """
    share = isinstance(threshold, str) and threshold.strip().endswith("%")
    try:
        least = float(threshold.strip()[:-1]) / 100 if share else float(threshold)  # type: ignore[union-attr]
    except ValueError:
        raise ConfigError(f"threshold is a number, or a share such as '1%', got {threshold!r}") from None
    count = _count("updates", updates)

    def small(current: TrialReport, updated: bool, reports: Sequence[TrialReport]) -> bool:
        if not updated or len(reports) <= count:
            return False
        before = reports[-count - 1].sort_metric
        improved = before - reports[-1].sort_metric
        return improved < (abs(before) * least if share else least)

    return SimpleNonIterativeStopper(small, log_best_only=True)


def to_timedelta(value: Any) -> timedelta:
    """A time span: a timedelta, a number of seconds, or text such as "1sec", "90 s", "5min", "2h", "1 day".

    Raises ConfigError for anything else.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    text = str(value).strip().lower()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = _UNITS.get(text[len(number) :].strip())
    try:
        return timedelta(**{unit or "": float(number or 1)})
    except (TypeError, ValueError):
        raise ConfigError(f"a time span is e.g. '30sec', '5min', '1h', or a number of seconds, got {value!r}") from None


_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "seconds"),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "m"), "minutes"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "hours"),
    **dict.fromkeys(("d", "day", "days"), "days"),
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), "milliseconds"),
}


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is a whole number from 1 up, got {value!r}")
    return value
