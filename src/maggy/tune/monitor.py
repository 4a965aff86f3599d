"""Who watches a study while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from maggy.errors import ConfigError
from maggy.tune.trial import Trial, TrialDecision, TrialReport


class Monitor:
    """Sees reports and decisions as they come, on the driver, in a thread of its own. Override what is of interest.

    Source: Fugue-Tune's class of this name.
    """

    def initialize(self) -> None:
        """The study begins."""

    def on_get_budget(self, trial: Trial, rung: int, budget: float) -> None:
        """A trial begins a rung, with the total budget that it is to reach."""

    def on_report(self, report: TrialReport) -> None:
        """A trial has reported."""

    def on_judge(self, decision: TrialDecision) -> None:
        """A trial was told to stop."""

    def refresh(self) -> None:
        """Nothing more is known at present, several times a second: the time to draw."""

    def finalize(self) -> None:
        """The study is over."""


def to_monitors(value: object) -> Sequence[Monitor]:
    """The monitors that are meant: None, a name, a `Monitor`, or several. Raises ConfigError."""
    if value is None:
        return []
    if isinstance(value, Monitor):
        return [value]
    if isinstance(value, list | tuple):
        return [monitor for each in value for monitor in to_monitors(each)]
    raise ConfigError(f"monitor is a Monitor, got {value!r}")
