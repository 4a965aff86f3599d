"""The driver's book of trials: what policies see and what the result is made of."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from maggy.trial import Curve, Direction, Params, Trial, TrialState


class Book:
    """Every trial of an experiment; curves only where a policy needs them.

    direction     the user's
    keep_losses   whether a built-in rule reads curves, as losses
    keep_metrics  whether a policy of the developer API reads them, in the user's sign

    running    trials without a result, by id
    ended      trials with a final state, in the order in which they ended
    results    those of them that have a result
    losses     curves of the running trials, by id
    finished   curves of the trials that ended with a result, in that order
    """

    def __init__(self, direction: Direction, *, keep_losses: bool, keep_metrics: bool) -> None:
        self.sign = 1.0 if direction == "min" else -1.0
        self.running: dict[int, Trial] = {}
        self.ended: list[Trial] = []
        self.losses: dict[int, Curve] = {}
        self.finished: list[Curve] = []
        self.results: list[Trial] = []
        self._keep_losses, self._keep_metrics = keep_losses, keep_metrics

    def open(self, trial_id: int, suggestion: Trial) -> None:
        """A trial was suggested."""
        suggestion.trial_id = trial_id
        suggestion.state = TrialState.PENDING
        self.running[trial_id] = suggestion

    def start(self, trial_id: int, attempt: int, worker: int, t: float) -> None:
        """A trial was handed to a worker; whatever an earlier attempt reported is void."""
        trial = self.running[trial_id]
        trial.state, trial.attempt, trial.worker = TrialState.RUNNING, attempt, worker
        trial.start = t
        trial.final_metric = trial.best_metric = trial.metric_dict = None
        trial.error = trial.traceback = None
        trial.num_points = 0
        trial.curve = Curve() if self._keep_metrics else None
        if self._keep_losses:
            self.losses[trial_id] = Curve()

    def report(self, trial_id: int, steps: Sequence[int], values: Sequence[float]) -> None:
        """A running trial reported points."""
        trial = self.running[trial_id]
        if trial.curve is not None:
            trial.curve.extend(steps, values)
        if self._keep_losses:
            self.losses[trial_id].extend(steps, [self.loss(value) for value in values])
        trial.num_points += len(values)
        for value in values:
            self._see(trial, value)
            if isfinite(value):  # a trial that diverges after it was told to stop has the result from before
                trial.final_metric = value

    def note(self, trial_id: int, **facts: Any) -> None:
        """Write facts about a running trial into its fields."""
        trial = self.running[trial_id]
        for name, value in facts.items():
            setattr(trial, name, value)

    def settle(self, trial_id: int, state: TrialState, error: str | None, t: float) -> Trial:
        """A trial has ended; what it reported before it failed is no result."""
        trial = self.running.pop(trial_id)
        trial.state, trial.end = state, t
        if error is not None:
            trial.error = error
        if state is TrialState.FINISHED:
            trial.reason = None  # it was told to stop and finished all the same
        if not state.has_result:
            trial.final_metric = trial.best_metric = None
        elif trial.final_metric is not None:
            self._see(trial, trial.final_metric)
        losses = self.losses.pop(trial_id, None)
        if state.has_result:
            self.results.append(trial)
            if losses is not None:
                self.finished.append(losses)
        self.ended.append(trial)
        return trial

    def loss(self, metric: float) -> float:
        """A metric of the user as a loss: the only place where the direction is applied."""
        return self.sign * metric

    def _see(self, trial: Trial, value: float) -> None:
        if value == value and (trial.best_metric is None or self.loss(value) < self.loss(trial.best_metric)):
            trial.best_metric = value


def params_of(suggestion: Trial) -> Params:
    """A suggestion's parameters with plain Python values, as they travel and are written."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in suggestion.params.items()}
