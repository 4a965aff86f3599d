"""Who watches a study while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maggy.tune.trial import Trial, TrialDecision, TrialReport

if TYPE_CHECKING:
    from rich.console import RenderableType


class Monitor:
    """Sees reports and decisions as they come, on the driver, in a thread of its own. Override what is of interest.

    Source: Fugue-Tune's class of this name.
    """

    def initialize(self) -> None:
        """The study begins."""

    def on_get_budget(self, trial: Trial, rung: int, budget: float) -> None:
        """A trial begins a rung, which adds so much; under continuous ASHA, its first rung."""

    def on_report(self, report: TrialReport) -> None:
        """A trial has reported. What continuous ASHA sees of a running trial has the sort metric as its metric."""

    def on_judge(self, decision: TrialDecision) -> None:
        """A trial is to go on with the next rung, or, under continuous ASHA, was told to stop."""

    def refresh(self) -> None:
        """Nothing more is known at present, several times a second: the time to draw."""

    def finalize(self) -> None:
        """The study is over."""

    def view(self) -> RenderableType | None:
        """What a terminal shows while the study runs, above its progress: anything that rich can print."""
        return None

    def line(self) -> str | None:
        """The same in one line, for where there is no terminal; said again whenever it has changed."""
        return None
