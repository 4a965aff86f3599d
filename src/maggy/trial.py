"""A trial, its states, and its metric curve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

Params = dict[str, Any]
Direction = Literal["min", "max"]


def flat(values: Mapping[str, Any], prefix: str = "") -> Params:
    """Nested dicts as one, with dots in the names: tables and tracking services know no others."""
    flattened: Params = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flattened |= flat(value, f"{prefix}{name}.")
        else:
            flattened[f"{prefix}{name}"] = value
    return flattened


class TrialState(StrEnum):
    """Where a trial is in its life; the last four are final."""

    PENDING = "pending"  # chosen, waiting for a worker
    RUNNING = "running"
    STOPPING = "stopping"  # told to stop, its last word is awaited
    FINISHED = "finished"  # the function returned
    STOPPED = "stopped"  # stopped early; counts as a result
    FAILED = "failed"  # the function raised
    LOST = "lost"  # its workers died, more often than allowed

    @property
    def final(self) -> bool:
        return self in _FINAL

    @property
    def has_result(self) -> bool:
        return self in (TrialState.FINISHED, TrialState.STOPPED)


_FINAL = frozenset({TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST})


@dataclass(frozen=True, slots=True)
class Objective:
    """What is optimised.

    key  where it is in the dict that the training function returns
    """

    key: str
    direction: Direction

    @property
    def sign(self) -> float:
        """What makes a loss of it."""
        return 1.0 if self.direction == "min" else -1.0


@dataclass(slots=True)
class Curve:
    """What a trial reported, in order.

    steps   never decreasing, in the unit the trial reports (epochs or batches)
    values  one per step; the user's metric, or a loss where a policy sees it
    since   among finished curves, the steps up to this one are counted by an earlier curve of the same trial, which
            has been promoted in between; -1 where there is none
    """

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    since: int = -1

    def __len__(self) -> int:
        return len(self.steps)

    def extend(self, steps: Sequence[int], values: Sequence[float]) -> None:
        self.steps.extend(steps)
        self.values.extend(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a trial has saved to go on from; `maggy.load_checkpoint` reads it.

    url         where it lies: a path or a URL
    attempt     attempt of the trial that saved it
    step        step it was saved at; None if the trial had not come to any
    size_bytes  of all its files
    seconds     how long it took to save
    """

    url: str
    attempt: int
    step: int | None
    size_bytes: int
    seconds: float


@dataclass(slots=True)
class Trial:
    """One evaluation of one configuration.

    Optimizers of the developer API make one with `Trial(params)` and read the rest when it comes back.

    params        the hyperparameters
    info_dict     free notes of the optimizer that made it
    trial_id      a counter, given by the driver; None before
    state         see `TrialState`
    final_metric  what the function returned, or its last report if it was stopped early
    best_metric   the best of all that it reported and returned, in the experiment's direction
    metric_dict   the whole dict, if the function returned one
    num_points    how many points it reported
    curve         these points, where a policy of the developer API needs them
    error         last line of its error, if it failed or was lost
    traceback     the traceback as text, if it failed
    reason        why it was stopped, in one line
    attempt       number of its last run: one more for each time that it was started again or promoted
    worker        number of the worker that ran it last; of several, that of the first
    workers       numbers of all of them, in order of rank
    start, end    seconds since the epoch, on the driver's clock; of its last run
    run_s         how long its runs took, all together
    checkpoint    the last one it saved, as long as it is kept
    budget        the total it was to reach in its last run, where the optimizer gives out budgets
    rung          where it stands in its bracket, from 0, where the optimizer has rungs
    bracket       number of its bracket, where the optimizer has several
    resumable     whether the optimizer may promote it when it returns
    rungs         budget and metric of each time that it returned, where the optimizer gives out budgets
    origin        where its configuration comes from, e.g. "random", "model", "start", "fallback"
    parent        trial whose checkpoint it began with, if it did
    notes         what was decided about it and why, one line each, oldest first
    saw           of a configuration from a model: how many facts that knew, and which draw from them it is
    """

    params: Params
    info_dict: dict[str, Any] | None = None
    trial_id: int | None = None
    state: TrialState = TrialState.PENDING
    final_metric: float | None = None
    best_metric: float | None = None
    metric_dict: Mapping[str, Any] | None = None
    num_points: int = 0
    curve: Curve | None = None
    error: str | None = None
    traceback: str | None = None
    reason: str | None = None
    attempt: int = 0
    worker: int | None = None
    workers: list[int] = field(default_factory=list)
    start: float | None = None
    end: float | None = None
    run_s: float = 0.0
    checkpoint: Checkpoint | None = None
    budget: float | None = None
    rung: int | None = None
    bracket: int | None = None
    resumable: bool = False
    rungs: list[tuple[float, float]] = field(default_factory=list)
    origin: str | None = None
    parent: int | None = None
    notes: list[str] = field(default_factory=list)
    saw: tuple[int, int] | None = None

    @property
    def early_stop(self) -> bool:
        """Whether it was stopped early."""
        return self.state in (TrialState.STOPPING, TrialState.STOPPED)

    @property
    def metric_history(self) -> list[float]:
        """The reported metrics in order."""
        return self.curve.values if self.curve else []

    @property
    def step_history(self) -> list[int]:
        """The steps that go with `metric_history`."""
        return self.curve.steps if self.curve else []

    @property
    def duration(self) -> float | None:
        """Milliseconds from start to end, as the original counted; None while it runs."""
        return None if self.start is None or self.end is None else 1000 * (self.end - self.start)

    def to_json(self) -> str:
        """A JSON object with every field; `from_json` reads it back."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        if self.curve is not None:
            fields["curve"] = {"steps": self.curve.steps, "values": self.curve.values}
        if self.checkpoint is not None:
            fields["checkpoint"] = asdict(self.checkpoint)
        return json.dumps(fields, default=str)

    @classmethod
    def from_json(cls, text: str) -> Trial:
        fields = json.loads(text)
        fields["state"] = TrialState(fields["state"])
        if fields["curve"] is not None:
            fields["curve"] = Curve(**fields["curve"])
        if fields.get("checkpoint") is not None:
            fields["checkpoint"] = Checkpoint(**fields["checkpoint"])
        return cls(**fields)
