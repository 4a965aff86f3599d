"""What is tried, what came of it, and what is decided then."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from maggy.tune.template import TuningParametersTemplate, to_template


class Trial:
    """One candidate: parameters, and where there are tables, the rows that it is about.

    trial_id  the same for the same keys and parameters
    params    a dict or a template, in which expressions are still to be chosen
    metadata  whatever belongs to it
    keys      values of the partition keys; none where the tables are not partitioned
    dfs       the tables by name, where it runs; with partition keys only its own rows

    Source: Fugue-Tune's class of this name.
    """

    def __init__(
        self,
        trial_id: str,
        params: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        keys: Sequence[Any] | None = None,
        dfs: Mapping[str, Any] | None = None,
    ) -> None:
        self.trial_id = trial_id
        self.params: TuningParametersTemplate = to_template(params)
        self.metadata = dict(metadata or {})
        self.keys = list(keys or [])
        self.dfs = dict(dfs or {})

    @classmethod
    def of(
        cls, params: Mapping[str, Any], keys: Sequence[Any] = (), metadata: Mapping[str, Any] | None = None
    ) -> Trial:
        """The trial of these parameters, with the id that follows from them and the keys."""
        template = to_template(params)
        name = json.dumps([[None if key is None else str(key) for key in keys], template.fingerprint])
        return cls(str(uuid.uuid5(uuid.NAMESPACE_OID, name)), template, metadata, keys)

    def with_params(self, params: Mapping[str, Any]) -> Trial:
        """The same trial with other parameters."""
        other = copy.copy(self)
        other.params = to_template(params)
        return other

    def with_dfs(self, dfs: Mapping[str, Any]) -> Trial:
        """The same trial with tables."""
        other = copy.copy(self)
        other.dfs = dict(dfs)
        return other

    def copy(self) -> Trial:
        """A copy, of which the metadata can be changed."""
        other = copy.copy(self)
        other.metadata = dict(self.metadata)
        return other

    def __repr__(self) -> str:
        keys = f", keys={self.keys!r}" if self.keys else ""
        return f"Trial({self.trial_id!r}, {self.params!r}{keys})"


class TrialReport:
    """What came of a trial.

    trial        what was tried
    metric       the objective's own number
    params       the parameters that gave it, where something was left to choose; None: those of the trial
    metadata     whatever the objective says beside the metric
    cost         how much it took; the budget, of an iterative objective
    rung         of an iterative objective, counted from 0
    sort_metric  the smaller the better; None: the metric
    log_time     when it was reported; None: now

    Source: Fugue-Tune's class of this name.
    """

    def __init__(
        self,
        trial: Trial,
        metric: Any,
        params: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        cost: float = 1.0,
        rung: int = 0,
        sort_metric: Any = None,
        log_time: datetime | None = None,
    ) -> None:
        self.trial = trial.with_dfs({})
        self.metric = float(metric)
        self.params = trial.params if params is None else to_template(params)
        self.metadata = dict(metadata or {})
        self.cost = float(cost)
        self.rung = int(rung)
        self.sort_metric = self.metric if sort_metric is None else float(sort_metric)
        self.log_time = log_time or datetime.now()

    @property
    def trial_id(self) -> str:
        return self.trial.trial_id

    def copy(self) -> TrialReport:
        """A copy, of which the metadata can be changed."""
        other = copy.copy(self)
        other.metadata = dict(self.metadata)
        return other

    def with_cost(self, cost: float) -> TrialReport:
        """The same report with another cost."""
        return self._with(cost=float(cost))

    def with_rung(self, rung: int) -> TrialReport:
        """The same report of another rung."""
        return self._with(rung=int(rung))

    def with_sort_metric(self, sort_metric: Any) -> TrialReport:
        """The same report with another number to sort by, smaller is better."""
        return self._with(sort_metric=float(sort_metric))

    def generate_sort_metric(self, min_better: bool, digits: int) -> TrialReport:
        """The same report, sorted by its metric, rounded; larger is better where `min_better` is False."""
        metric = round(self.metric, digits)
        return self._with(sort_metric=metric if min_better else -metric)

    def reset_log_time(self) -> TrialReport:
        """The same report, of now."""
        return self._with(log_time=datetime.now())

    def __repr__(self) -> str:
        return (
            f"TrialReport(metric={self.metric:.6g}, sort_metric={self.sort_metric:.6g}, params={self.params!r}, "
            f"trial_id={self.trial_id!r}"
            + (f", keys={self.trial.keys!r}" if self.trial.keys else "")
            + (f", rung={self.rung}" if self.rung else "")
            + ")"
        )

    def _with(self, **changed: Any) -> TrialReport:
        other = self.copy()
        for name, value in changed.items():
            setattr(other, name, value)
        return other


class TrialDecision:
    """What is decided about a trial at a rung.

    report             what it is about
    budget             how much more it runs; 0 where it stops
    should_checkpoint  whether it saves a checkpoint now
    reason             why, in one line

    Source: Fugue-Tune's class of this name.
    """

    def __init__(
        self,
        report: TrialReport,
        budget: float,
        should_checkpoint: bool,
        reason: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.report, self.budget, self.should_checkpoint = report, float(budget), should_checkpoint
        self.reason, self.metadata = reason, dict(metadata or {})

    @property
    def trial(self) -> Trial:
        return self.report.trial

    @property
    def trial_id(self) -> str:
        return self.report.trial_id

    @property
    def should_stop(self) -> bool:
        """Whether it runs no further."""
        return self.budget <= 0

    def __repr__(self) -> str:
        return f"TrialDecision({self.report!r}, budget={self.budget:g}, reason={self.reason!r})"
