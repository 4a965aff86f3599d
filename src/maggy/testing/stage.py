"""An experiment without a driver, played by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Literal, overload

from maggy.optimizer import IDLE, AbstractOptimizer, Draws, Optimizer, Promotion, Report, Setting, resolve
from maggy.optimizer.sampler import Undrawn
from maggy.searchspace import Searchspace
from maggy.trial import Direction, Trial, TrialState


class ReadOnly(Sequence[Trial]):
    """A live view of a list that cannot be used to change it."""

    def __init__(self, trials: list[Trial]) -> None:
        self._trials = trials

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> list[Trial]: ...
    def __getitem__(self, index: int | slice) -> Trial | list[Trial]:
        return self._trials[index]

    def __len__(self) -> int:
        return len(self._trials)


class Stage:
    """Asks an optimizer and tells it what happens, one step after another, and checks that it keeps its contract.

    optimizer     what is tried
    space         what it searches
    num_trials    how many configurations the user asked for
    direction     of the metric: a trial's metric is its loss, negated for "max"
    takes_budget  whether the training function would ask for a `budget`
    on_end        called with each trial that has ended, before the optimizer learns of it

    trials        every trial that was suggested, in order
    running       those without a result by number
    """

    def __init__(
        self,
        optimizer: Optimizer | AbstractOptimizer,
        space: Searchspace,
        *,
        num_trials: int = 12,
        direction: Direction = "min",
        seed: int = 0,
        takes_budget: bool = True,
        on_end: Callable[[Trial], None] = lambda trial: None,
    ) -> None:
        self.optimizer = resolve(optimizer)
        self.trials: list[Trial] = []
        self.running: dict[int, Trial] = {}
        self.finished: list[Trial] = []
        self._draws = Draws(self.optimizer.sampler or Undrawn(), space, seed=seed, most=num_trials)
        self._sign = -1 if direction == "max" else 1
        self._seed, self._asks, self._on_end = seed, 0, on_end
        self._promised = self.optimizer.prepare(
            Setting(
                space=space,
                num_trials=num_trials,
                direction=direction,
                running=MappingProxyType(self.running),
                finished=ReadOnly(self.finished),
                draws=self._draws,
                takes_budget=takes_budget,
            )
        )

    def ask(self) -> Trial | Literal["IDLE"] | None:
        """A free worker asks: the trial that it runs from here on, `IDLE` or None.

        Raises AssertionError where the answer would hang or flood an experiment.
        """
        import numpy as np

        answer = self.optimizer.suggest(self._asks, np.random.default_rng([self._seed, self._asks, 2]))
        self._asks += 1
        if isinstance(answer, Trial):
            return self._begin(answer)
        if isinstance(answer, Promotion):
            return self._promote(answer)
        assert answer is None or answer == IDLE, f"answered {answer!r}, not a Trial, a Promotion, 'IDLE' or None"
        assert answer is None or self.running, (
            "answered 'IDLE' while no trial is running: the experiment would never go on"
        )
        return answer

    def report(self, trial: Trial, step: int, loss: float) -> str | None:
        """A trial reports a loss. If the optimizer stops it, it ends: the reason is returned."""
        assert self.optimizer.judges, "judges no trial"
        trial.reason = self.optimizer.judge(trial, step, loss)
        if trial.reason is not None:
            self.end(trial, loss, TrialState.STOPPED)
        return trial.reason

    def end(self, trial: Trial, loss: float | None, state: TrialState = TrialState.FINISHED) -> None:
        """A trial ends, or returns at its budget.

        loss   its last one; None if it failed: one that was promoted then is what it was when it returned last
        state  STOPPED where a rule has stopped it
        """
        assert trial.trial_id is not None
        del self.running[trial.trial_id]
        goal = trial.budget if state is TrialState.FINISHED else None  # one that was stopped has not come to its budget
        if loss is None and trial.rungs:
            trial.state = TrialState.FINISHED
            trial.budget, trial.final_metric = trial.rungs[-1]
            trial.rung, trial.resumable = (trial.rung or 1) - 1, False
        else:
            trial.state = TrialState.FAILED if loss is None else state
            trial.final_metric = None if loss is None else self._sign * loss
            if goal is not None and trial.final_metric is not None:
                trial.rungs.append((goal, trial.final_metric))
        if trial.attempt == 0:
            self.finished.append(trial)
        self._on_end(trial)
        losses = None if loss is None else (loss,)
        self._draws.history.observed(trial.trial_id, losses, goal, runs=False)
        self.optimizer.observe(Report(trial=trial, loss=loss, losses=losses))

    def _begin(self, trial: Trial) -> Trial:
        assert trial.trial_id is None, f"suggested trial {trial.trial_id} once more"
        assert len(self.trials) < self._promised, f"promised at most {self._promised} trials and suggested one more"
        trial.trial_id, trial.state = len(self.trials), TrialState.RUNNING
        self.running[trial.trial_id] = trial
        self.trials.append(trial)
        self._draws.history.began(trial.trial_id, trial.params)
        return trial

    def _promote(self, promotion: Promotion) -> Trial:
        assert self.optimizer.promotes, "promotes a trial and has not said that it would"
        assert promotion.trial < len(self.trials), f"promotes trial {promotion.trial}, which it never suggested"
        trial = self.trials[promotion.trial]
        assert trial.resumable, f"promotes trial {promotion.trial}, which did not return to be promoted"
        assert trial.state is TrialState.FINISHED, f"promotes trial {promotion.trial}, which is {trial.state}"
        assert trial.budget is not None and promotion.budget > trial.budget, "promotes to a smaller budget"
        trial.budget, trial.rung, trial.resumable = promotion.budget, promotion.rung, promotion.resumable
        trial.state = TrialState.RUNNING
        trial.attempt += 1
        trial.notes.append(promotion.reason)
        self.running[promotion.trial] = trial
        self._draws.history.went_on(promotion.trial)
        return trial
