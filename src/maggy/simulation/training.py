"""The training function of a simulation: what a run of a trial shows, and what it goes on from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maggy.context.checkpoint import place
from maggy.context.metric import as_number, read_return
from maggy.driver.keeper import Deletion, Remove
from maggy.errors import ReturnKeyError, ReturnTypeError
from maggy.simulation.curves import CurveSource, LearningCurve
from maggy.trial import Objective
from maggy.wire.messages import CheckpointSaved, RunTrial


class Checkpoints:
    """The checkpoints of all trials: of each, nothing but the step at which it was saved.

    folder  what their URLs begin with
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._steps: dict[str, int] = {}  # by place

    def save(self, run: Run) -> CheckpointSaved:
        """Save one of a run, at its last step."""
        saved = CheckpointSaved(run.order.trial, run.order.attempt, run.num_saved, run.step, 0, 0.0)
        run.num_saved += 1
        self._steps[place(saved.trial, saved.attempt, saved.number)] = run.step
        return saved

    def step(self, url: str) -> int:
        """The step at which one was saved."""
        return self._steps[url.removeprefix(f"{self.folder}/")]

    def delete(self, deletions: Iterable[Deletion]) -> None:
        """The driver needs these no more. What else a trial has left behind takes no room, and stays."""
        for deletion in deletions:
            if isinstance(deletion, Remove):
                self._steps.pop(deletion.place, None)


@dataclass(slots=True)
class Run:
    """A run of a trial.

    order      what the driver has asked for
    values     the metric after each step, from step 1 on
    columns    all that it returns if that is a dict: for each key the value after each step
    seconds    that each step takes
    step       the last one that is done; at first that of the checkpoint it goes on from, 0 without one
    end        the step at which it returns
    reports    whether it broadcasts; a function without steps does not
    num_saved  how many checkpoints it has saved
    stopping   whether it was told to stop
    """

    order: RunTrial
    values: Sequence[float]
    columns: Mapping[str, Sequence[Any]] | None
    seconds: Sequence[float]
    step: int
    end: int
    reports: bool
    num_saved: int = 0
    stopping: bool = False

    @property
    def metric(self) -> float:
        """After the last step that is done."""
        return self.values[self.step - 1]

    @property
    def outputs(self) -> dict[str, Any] | None:
        """What it returns after that step, if that is a dict."""
        if self.columns is None:
            return None
        return {key: values[self.step - 1] for key, values in self.columns.items()}


class Training:
    """Begins runs.

    source           what is asked for learning curves
    objectives       of the experiment
    hyperparameters  their names; a `budget` that is none of them comes from the optimizer
    checkpoints      where runs save and go on from; None: every run begins at step 1
    save_every       steps between two checkpoints, besides the one at the end; None: that one only
    """

    def __init__(
        self,
        source: CurveSource,
        objectives: Sequence[Objective],
        *,
        hyperparameters: Collection[str],
        checkpoints: Checkpoints | None,
        save_every: int | None,
    ) -> None:
        self._source, self._checkpoints, self._save_every = source, checkpoints, save_every
        self._keys = [objective.key for objective in objectives]
        self._has_budget = "budget" not in hyperparameters

    def begin(self, order: RunTrial) -> Run:
        """The run that the driver asks for.

        Raises whatever the source raises, and ReturnTypeError, ReturnKeyError, MetricTypeError or MetricValueError for
        an answer that cannot be used.
        """
        params = dict(order.params)
        budget = params.pop("budget", None) if self._has_budget else None
        answer = self._source(params)
        if not isinstance(answer, LearningCurve):
            if not isinstance(answer, Mapping) and as_number(answer) is None:
                raise ReturnTypeError(
                    f"curves returned {type(answer).__name__} {str(answer)[:60]!r} for {params}; it has to return a "
                    "LearningCurve, a number, or a dict of numbers"
                )
            metric, outputs = read_return(answer, self._keys[0], self._keys[1:])
            only = None if outputs is None else {key: [value] for key, value in outputs.items()}
            return Run(order, [metric], only, [1.0], step=0, end=1, reports=False)
        values, columns = self._columns(answer)
        end = len(values) if budget is None else max(1, min(int(budget), len(values)))
        seconds = answer.seconds
        times = list(map(float, seconds)) if isinstance(seconds, Iterable) else [float(seconds)] * len(values)
        step = 0
        if self._checkpoints is not None and order.checkpoint is not None:
            step = min(self._checkpoints.step(order.checkpoint), end)
        return Run(order, values, columns, times, step=step, end=end, reports=True)

    def save(self, run: Run) -> CheckpointSaved | None:
        """The checkpoint of a run after a step, if that is one at which it saves."""
        due = run.step == run.end or (self._save_every is not None and run.step % self._save_every == 0)
        return self._checkpoints.save(run) if self._checkpoints is not None and run.reports and due else None

    def _columns(self, curve: LearningCurve) -> tuple[list[float], Mapping[str, list[float]] | None]:
        if not isinstance(curve.values, Mapping):
            if len(self._keys) > 1:
                raise ReturnKeyError(f"the learning curve has to be a dict of lists for {', '.join(self._keys)}")
            return list(map(float, curve.values)), None
        missing = [key for key in self._keys if key not in curve.values]
        if missing:
            raise ReturnKeyError(f"the learning curve has no values for {', '.join(missing)}")
        columns = {key: list(map(float, values)) for key, values in curve.values.items()}
        return columns[self._keys[0]], columns
