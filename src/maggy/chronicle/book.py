"""The book of trials: what policies see, what the result is made of, and what readers of a journal get."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.errors import ImpossibleTransitionError
from maggy.spilled import Spill, SpilledList
from maggy.trial import Curve, Objective, Params, Trial, TrialState


@dataclass(slots=True)
class _Run:
    """The run of a trial that is going on.

    curve      what it has reported, in the user's sign; what the runs before it left is cut where this one begins
    begun      whether this run has reported anything
    goes_on    after this step, if it begins with the checkpoint that it was given; -1 without one
    last_step  of the runs before it whose points are not kept; -1 for none
    points     how many those are
    best       the best of them
    """

    curve: Curve
    begun: bool = False
    goes_on: int = -1
    last_step: int = -1
    points: int = 0
    best: float | None = None


@dataclass(slots=True)
class _Rest:
    """What a trial that may be promoted goes on with.

    losses     its curve, where a built-in rule reads curves
    last_step  that it has reported; -1 if none
    """

    losses: Curve | None
    last_step: int


class Book:
    """Every trial of an experiment; curves only where a policy needs them.

    Trials that have ended leave the memory for a file, but for the newest.

    objectives    what the metric is called and whether more or less of it is better; the first one counts for curves
    keep_losses   whether a built-in rule reads curves, as losses
    keep_metrics  whether a policy of the developer API reads them, in the user's sign
    keep          so many of the trials that have ended stay in memory; None: all of them

    spill        where the others go
    running      trials without a result, by id; also those that run on after they were promoted
    ended        trials that have come to a final state, in the order in which they first did
    num_results  how many of them have a result
    results      those, where all of them stay in memory for a policy of the developer API
    losses       curves of the running trials, by id
    finished     curves of the trials that ended with a result, in that order. A trial that was promoted is in it once
                 more when it ends again, see `Curve.since`
    """

    def __init__(
        self, objectives: Sequence[Objective], *, keep_losses: bool, keep_metrics: bool, keep: int | None = None
    ) -> None:
        self.objectives = objectives
        self.sign = objectives[0].sign
        self.running: dict[int, Trial] = {}
        self.spill = Spill()
        self.ended = SpilledList(Trial, self.spill, keep)
        self.losses: dict[int, Curve] = {}
        self.finished = SpilledList(Curve, self.spill, keep)
        self.num_results = 0
        self.results: list[Trial] = []
        self._keep_losses, self._keep_metrics = keep_losses, keep_metrics
        self._keep_results = keep_metrics and keep is None  # who reads them says that trials are to stay
        self._runs: dict[int, _Run] = {}
        self._places = array("q")  # by trial: its place in `ended`; -1 if it has none
        self._rests = SpilledList(_Rest, self.spill, keep)
        self._resting = array("q")  # by trial: its place in there; -1 if it may not be promoted
        self._before: dict[int, Trial] = {}  # promoted trials as they were

    def open(self, trial_id: int, suggestion: Trial) -> None:
        """A trial was suggested."""
        suggestion.trial_id = trial_id
        suggestion.state = TrialState.PENDING
        self.running[trial_id] = suggestion

    def may_promote(self, trial_id: int) -> bool:
        """Whether a trial has returned and may run on."""
        return _at(self._resting, trial_id) >= 0

    @contextmanager
    def changing(self, trial_id: int) -> Iterator[Trial]:
        """A trial to write something into, wherever it is."""
        if trial_id in self.running:
            yield self.running[trial_id]
            return
        place = self._places[trial_id]
        yield self.ended.take(place)
        self.ended.put_back(place)

    def promote(self, event: ev.Promoted) -> None:
        """A trial that had ended runs on.

        Raises ImpossibleTransitionError if it may not.
        """
        if not self.may_promote(event.trial):
            raise ImpossibleTransitionError(
                f"trial {event.trial} cannot be promoted: an optimizer may promote what has returned, once for each "
                f"time that it said `resumable` of it"
            )
        trial, rest = self.ended.take(self._places[event.trial]), self._rests[self._resting[event.trial]]
        self._resting[event.trial] = -1
        self._before[event.trial] = copy(trial)
        self.running[event.trial] = trial
        trial.state = TrialState.PENDING
        trial.budget, trial.rung, trial.resumable = event.budget, event.rung, event.resumable
        trial.notes = [*trial.notes, event.reason]
        curve = Curve() if trial.curve is None else Curve(list(trial.curve.steps), list(trial.curve.values))
        run = _Run(curve)
        if trial.curve is None:
            run.last_step, run.points, run.best = rest.last_step, trial.num_points, trial.best_metric
        self._runs[event.trial] = run
        if (losses := rest.losses) is not None:
            self.losses[event.trial] = Curve(list(losses.steps), list(losses.values), rest.last_step)

    def start(self, trial_id: int, attempt: int, workers: Sequence[int], t: float) -> None:
        """A trial was handed to its workers. What earlier runs have reported is void from where it begins to report."""
        trial = self.running[trial_id]
        trial.state, trial.attempt = TrialState.RUNNING, attempt
        trial.worker, trial.workers = workers[0], list(workers)
        trial.start, trial.end = t, None
        trial.final_metric = trial.metric_dict = None
        trial.error = trial.traceback = trial.reason = None
        run = self._runs.setdefault(trial_id, _Run(Curve()))
        run.begun = False
        run.goes_on = -1 if trial.checkpoint is None or trial.checkpoint.step is None else trial.checkpoint.step
        trial.curve = run.curve if self._keep_metrics else None
        if self._keep_losses:
            self.losses.setdefault(trial_id, Curve())

    def report(self, trial_id: int, steps: Sequence[int], values: Sequence[float]) -> None:
        """A running trial reported points."""
        trial, run = self.running[trial_id], self._runs[trial_id]
        if not run.begun:
            self._join(trial, run, steps[0])
        run.curve.extend(steps, values)
        if self._keep_losses:
            self.losses[trial_id].extend(steps, [self.loss(value) for value in values])
        trial.num_points += len(values)
        for value in values:
            self._see(trial, value)
            if isfinite(value):  # a trial that diverges after it was told to stop has the result from before
                trial.final_metric = value

    def newest_loss(self, trial_id: int) -> float:
        """The loss that a running trial reported last."""
        return self.loss(self._runs[trial_id].curve.values[-1])

    def note(self, trial_id: int, **facts: Any) -> None:
        """Write facts about a running trial into its fields."""
        trial = self.running[trial_id]
        for name, value in facts.items():
            setattr(trial, name, value)

    def settle(
        self, trial_id: int, state: TrialState, error: str | None, t: float, *, fell_back: bool = False
    ) -> Trial:
        """A trial has ended; what it reported before it failed is no result.

        fell_back  what it returned before it was promoted is its result
        """
        trial = self.running.pop(trial_id)
        before = self._before.pop(trial_id, None)
        run = self._runs.pop(trial_id, None)
        if run is not None and not run.begun:
            self._join(trial, run, run.goes_on + 1)
        losses = self.losses.pop(trial_id, None)
        if trial.start is not None and run is not None:
            trial.run_s += max(0.0, t - trial.start)
        if fell_back:
            assert before is not None
            self._fall_back(trial, before, error)
            self.ended.put_back(self._places[trial_id])
            return trial
        trial.state, trial.end = state, t
        if error is not None:
            trial.error = error
        if state is TrialState.FINISHED:
            trial.reason = None  # it was told to stop and finished all the same
        if not state.has_result:
            trial.final_metric = trial.best_metric = None
        elif trial.final_metric is not None:
            self._see(trial, trial.final_metric)
            if trial.budget is not None and state is TrialState.FINISHED:
                trial.rungs = [*trial.rungs, (trial.budget, trial.final_metric)]
        if state.has_result and losses is not None:
            self.finished.append(losses)
        if trial.resumable and state is TrialState.FINISHED:
            last_step = -1 if run is None else max([run.last_step, *run.curve.steps[-1:]])
            _set(self._resting, trial_id, len(self._rests))
            self._rests.append(_Rest(losses, last_step))
        if before is not None:
            self.ended.put_back(self._places[trial_id])
            return trial
        _set(self._places, trial_id, len(self.ended))
        self.ended.append(trial)
        if state.has_result:
            self.num_results += 1
            if self._keep_results:
                self.results.append(trial)
        return trial

    def hear(self, event: ev.MetricsReported | ev.TrialFinished | ev.TrialStopped | ev.TrialFailed) -> None:
        """The attempt of a trial that counts has said something."""
        match event:
            case ev.MetricsReported():
                self.report(event.trial, event.steps, [float(value) for value in event.values])
            case ev.TrialFinished() | ev.TrialStopped():
                self.note(event.trial, final_metric=event.metric, metric_dict=event.outputs)
            case ev.TrialFailed():
                self.note(event.trial, error=event.error, traceback=event.traceback)

    def carry_out(self, command: do.AnyCommand, t: float) -> None:
        """Write down what a command of the machine does to a trial."""
        match command:
            case do.Run():
                self.start(command.trial, command.attempt, command.gang or (command.worker,), t)
            case do.Stop():
                self.note(command.trial, reason=command.reason)
            case do.Settle():
                self.settle(command.trial, command.state, command.error, t, fell_back=command.fell_back)

    def close(self) -> None:
        """The experiment is over: a trial that was promoted and has not returned since has its result of before."""
        for trial_id, before in self._before.items():
            self._fall_back(self.running.pop(trial_id), before, None)
            self.ended.put_back(self._places[trial_id])
        self._before.clear()

    def with_result(self, trial: Trial) -> Trial:
        """A trial that has a result; one that was promoted and runs on as it was before."""
        return self._before.get(trial.trial_id or 0, trial)

    def loss(self, metric: float) -> float:
        """A metric of the user as a loss: the only place where the direction is applied."""
        return self.sign * metric

    def losses_of(self, trial: Trial) -> tuple[float, ...] | None:
        """The loss for each objective; None where the trial has not got them all."""
        if trial.final_metric is None:
            return None
        outputs = trial.metric_dict or {}
        if any(objective.key not in outputs for objective in self.objectives[1:]):
            return None
        others = (objective.sign * float(outputs[objective.key]) for objective in self.objectives[1:])
        return (self.loss(trial.final_metric), *others)

    def _join(self, trial: Trial, run: _Run, step: int) -> None:
        """A run begins to report, at a step: what was reported for it and after it by earlier runs is void."""
        run.begun = True
        trial_id = trial.trial_id
        assert trial_id is not None
        curves = [run.curve, self.losses[trial_id]] if trial_id in self.losses else [run.curve]
        for curve in curves:
            kept = bisect_left(curve.steps, step)
            del curve.steps[kept:], curve.values[kept:]
        if step <= run.last_step:
            run.last_step, run.points, run.best = -1, 0, None
        trial.num_points, trial.best_metric = run.points + len(run.curve), run.best
        for value in run.curve.values:
            self._see(trial, value)

    def _fall_back(self, trial: Trial, before: Trial, error: str | None) -> None:
        """Give a trial back what it had before it was promoted."""
        notes = list(trial.notes)
        if error is not None:
            notes.append(f"failed on its way to budget {trial.budget:g}: {error}")
        elif trial.reason is not None:
            notes.append(f"stopped on its way to budget {trial.budget:g}: {trial.reason}")
        kept = {"notes": notes, "run_s": trial.run_s, "attempt": trial.attempt}
        kept |= {"worker": trial.worker, "workers": trial.workers}
        kept |= {"checkpoint": trial.checkpoint, "error": error, "traceback": trial.traceback, "resumable": False}
        for field in fields(Trial):
            setattr(trial, field.name, kept.get(field.name, getattr(before, field.name)))

    def _see(self, trial: Trial, value: float) -> None:
        if value == value and (trial.best_metric is None or self.loss(value) < self.loss(trial.best_metric)):
            trial.best_metric = value


def _at(numbers: array[int], place: int) -> int:
    return numbers[place] if place < len(numbers) else -1


def _set(numbers: array[int], place: int, value: int) -> None:
    numbers.extend([-1] * (place + 1 - len(numbers)))
    numbers[place] = value


def trial_of(answer: ev.Suggested, trial: Trial | None = None) -> Trial:
    """The trial that was suggested.

    trial  the optimizer's own, which may have notes of its own; None for a new one
    """
    trial = trial or Trial(answer.params)
    trial.params = answer.params
    trial.budget, trial.rung, trial.bracket = answer.budget, answer.rung, answer.bracket
    trial.resumable, trial.parent = answer.resumable, answer.parent
    trial.origin, trial.saw = answer.origin, answer.saw
    trial.notes = [answer.reason] if answer.reason else []
    return trial


def params_of(suggestion: Trial) -> Params:
    """A suggestion's parameters with plain Python values, as they travel and are written."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in suggestion.params.items()}
