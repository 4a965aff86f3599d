"""The developer API for optimizers, and what lets it run on the contract of the built-in ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from maggy.errors import ConfigError, SearchspaceError
from maggy.optimizer.base import IDLE, Optimizer, Report, Setting, Suggestion
from maggy.searchspace import Space, plain_tree
from maggy.trial import Direction, Params, Trial, TrialState

if TYPE_CHECKING:
    import numpy as np

TrialIds = int | Collection[int] | Literal["all"]

BUDGET_NAMES = frozenset({"budget", "resource"})
"""What a multi-fidelity optimizer may add to the hyperparameters of a trial, in the spelling of 1.x and of 0.x."""


class AbstractOptimizer(ABC):
    """Base of your own optimizer: say what to try next.

    Before `initialize` the driver sets
        num_trials   how many trials the user asked for; `initialize` may set another number
        searchspace  what can be chosen
        direction    "min" or "max"
        trial_store  trials that have no result yet by id, kept current, read-only
        final_store  trials that have ended, in order, kept current, read-only; one that failed has no `final_metric`.
                     All of them stay in the driver's memory

    A subclass need not call `super().__init__()`. Take a seed if you draw at random, so that a search can be repeated.
    """

    num_trials: int
    searchspace: Space
    direction: Direction
    trial_store: Mapping[int, Trial]
    final_store: Sequence[Trial]

    def __init__(self, pruner: str | None = None, pruner_kwargs: Mapping[str, Any] | None = None) -> None:
        if pruner is not None or pruner_kwargs:
            raise ConfigError(f"pruner={pruner!r} is not supported: leave out pruner and pruner_kwargs")

    @abstractmethod
    def initialize(self) -> None:
        """Called once, before the first suggestion."""

    @abstractmethod
    def get_suggestion(self, trial: Trial | None = None) -> Trial | Literal["IDLE"] | None:
        """Say what to try next.

        trial  a trial that has ended; each one is given once, oldest first; None where a worker merely asks

        Returns a new `Trial(params)`, "IDLE" (nothing now, ask again when a trial has ended) or None (that was all).
        """

    @abstractmethod
    def finalize_experiment(self, trials: list[Trial]) -> None:
        """Called once, after the last trial, with all trials that have ended."""

    def create_trial(
        self,
        hparams: Params,
        sample_type: str = "random",
        run_budget: float = 0,
        model_budget: float | None = None,
    ) -> Trial:
        """A new trial that carries notes in its `info_dict`.

        hparams       a value for each hyperparameter
        sample_type   where the values come from, e.g. "random", "model", "promoted", "grid"
        run_budget    budget of this trial, passed to the training function as `budget`; 0 for none
        model_budget  budget of the trials behind the model that chose the values
        """
        params = {**hparams, "budget": run_budget} if run_budget > 0 else dict(hparams)
        return Trial(params, {"sample_type": sample_type, "run_budget": run_budget, "model_budget": model_budget})

    def get_hparams_dict(self, trial_ids: TrialIds = "all") -> dict[int, Params]:
        """The hyperparameters by id, of every trial with a result or of some."""
        return {trial_id: params for trial_id, params, _ in self._results(trial_ids)}

    def get_metrics_dict(self, trial_ids: TrialIds = "all") -> dict[int, float]:
        """The final metric by id, of every trial with a result or of some; negated for "max": lower is better."""
        return {trial_id: loss for trial_id, _, loss in self._results(trial_ids)}

    def hparams_exist(self, trial: Trial) -> bool:
        """Whether another trial, running or ended, has the same hyperparameters."""
        others = (*self.trial_store.values(), *self.final_store)
        return any(other is not trial and other.params == trial.params for other in others)

    def ybest(self, budget: float = 0) -> float:
        """The best final metric so far; negated for "max": lower is better.

        budget  only trials that ran with this budget count; 0 counts all

        Raises ValueError where no trial has a result.
        """
        return min(self._losses(budget))

    def yworst(self, budget: float = 0) -> float:
        """The worst final metric so far, see `ybest`."""
        return max(self._losses(budget))

    def ymean(self, budget: float = 0) -> float:
        """The mean of the final metrics so far, see `ybest`."""
        return fmean(self._losses(budget))

    def _results(self, trial_ids: TrialIds = "all") -> Iterator[tuple[int, Params, float]]:
        """Id, hyperparameters and loss of the trials with a result."""
        sign = -1 if self.direction == "max" else 1
        for trial in self.final_store:
            wanted = trial_ids == "all" or trial.trial_id in ([trial_ids] if isinstance(trial_ids, int) else trial_ids)
            if wanted and trial.trial_id is not None and trial.final_metric is not None:
                yield trial.trial_id, trial.params, sign * trial.final_metric

    def _losses(self, budget: float) -> list[float]:
        losses = [loss for _, params, loss in self._results() if budget == 0 or params.get("budget") == budget]
        if not losses:
            raise ValueError("no trial has a result yet" + (f" with budget {budget}" if budget else ""))
        return losses


class OptimizerAdapter(Optimizer):
    """Runs an `AbstractOptimizer` on the contract of the built-in optimizers.

    custom  the user's optimizer

    Its answers are checked: a suggestion is a new trial with a value for each hyperparameter of the space.
    """

    needs_trials = True

    def __init__(self, custom: AbstractOptimizer) -> None:
        self.custom = custom

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        custom = self.custom
        custom.num_trials, custom.direction = setting.num_trials, setting.direction
        custom.searchspace = setting.space
        custom.trial_store, custom.final_store = setting.running, setting.finished
        self._unseen: deque[Trial] = deque()
        custom.initialize()
        self._left = custom.num_trials
        return self._left

    def observe(self, report: Report) -> None:
        self._unseen.append(report.trial)

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        if self._left <= 0:
            return None
        answer = self._ask()
        while (
            isinstance(answer, str) and answer == IDLE and self._unseen
        ):  # it may only wait for a trial that it has not been shown yet
            answer = self._ask()
        if answer is None:
            return None
        if isinstance(answer, str) and answer == IDLE:
            return IDLE
        self._left -= 1
        return self._check(answer)

    def finalize(self) -> None:
        self.custom.finalize_experiment(list(self.setting.finished))

    def _ask(self) -> object:
        return self.custom.get_suggestion(self._unseen.popleft() if self._unseen else None)

    def _check(self, answer: object) -> Trial:
        who = f"{type(self.custom).__name__}.get_suggestion"
        if not isinstance(answer, Trial):
            raise ConfigError(f"{who} must return Trial(params), 'IDLE' or None, got {answer!r}")
        if answer.trial_id is not None or answer.state is not TrialState.PENDING:
            raise ConfigError(f"{who} returned trial {answer.trial_id} once more; make a new one: Trial(dict(params))")
        names, expected = set(answer.params), set(self.setting.space.keys())
        if missing := expected - names - self.setting.space.optional:
            raise SearchspaceError(f"{who} left out {sorted(missing)}: every trial needs {sorted(expected)}")
        if unknown := names - expected - BUDGET_NAMES:
            raise SearchspaceError(f"{who} gave {sorted(unknown)}, but the search space has only {sorted(expected)}")
        for name, value in answer.params.items():
            try:
                answer.params[name] = plain_tree(value)
            except SearchspaceError as error:
                raise SearchspaceError(f"{who} gave hyperparameter {name!r}: {error}.") from None
        return answer
