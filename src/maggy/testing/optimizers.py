"""What every optimizer must do."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, overload

from maggy.optimizer import IDLE, AbstractOptimizer, Draws, Optimizer, Promotion, Report, Setting, resolve
from maggy.optimizer.abstract import BUDGET_NAMES
from maggy.optimizer.sampler import Undrawn
from maggy.searchspace import Searchspace
from maggy.testing.streams import global_streams
from maggy.trial import Direction, Params, Trial, TrialState


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


def some_loss(trial: Trial) -> float | None:
    """A loss made up from the trial's number; every fifth trial fails."""
    number = trial.trial_id or 0
    return None if number % 5 == 3 else (37 * number + 11) % 101 / 101


def play(
    optimizer: Optimizer | AbstractOptimizer,
    space: Searchspace,
    *,
    num_trials: int = 12,
    direction: Direction = "min",
    seed: int = 0,
    workers: int = 3,
    loss: Callable[[Trial], float | None] = some_loss,
    on_end: Callable[[Trial], None] = lambda trial: None,
    takes_budget: bool = True,
    steps: int = 9,
) -> list[Trial]:
    """Play an experiment without a driver: workers ask, and end their trials in a shuffled order.

    optimizer     what is tried
    loss          the loss of a trial, None for one that fails; its metric is the loss, negated for "max"
    on_end        called with each trial that has ended, before the optimizer learns of it
    takes_budget  whether the training function would ask for a `budget`
    steps         how many steps a trial has, where the optimizer judges them; its loss is the same at each

    Returns the suggested trials in order. Raises AssertionError where the optimizer breaks its contract in a way that
    would hang or flood an experiment.
    """
    import numpy as np

    optimizer = resolve(optimizer)
    running: dict[int, Trial] = {}
    finished: list[Trial] = []
    draws = Draws(optimizer.sampler or Undrawn(), space, seed=seed, most=num_trials)
    promised = optimizer.prepare(
        Setting(
            space=space,
            num_trials=num_trials,
            direction=direction,
            running=MappingProxyType(running),
            finished=ReadOnly(finished),
            draws=draws,
            takes_budget=takes_budget,
        )
    )
    order = random.Random(seed)
    suggested: list[Trial] = []
    resumable: set[int] = set()
    asks, exhausted = 0, False
    while True:
        while not exhausted and len(running) < workers:
            answer = optimizer.suggest(asks, np.random.default_rng([seed, asks, 2]))
            asks += 1
            if answer is None:
                exhausted = True
            elif isinstance(answer, Trial):
                assert answer.trial_id is None, f"suggested trial {answer.trial_id} once more"
                answer.trial_id, answer.state = len(suggested), TrialState.RUNNING
                running[answer.trial_id] = answer
                suggested.append(answer)
                draws.history.began(answer.trial_id, answer.params)
                assert len(suggested) <= promised, f"promised at most {promised} trials and suggested one more"
                if answer.resumable:
                    resumable.add(answer.trial_id)
            elif isinstance(answer, Promotion):
                assert optimizer.promotes, "promotes a trial and has not said that it would"
                assert answer.trial in resumable, f"promotes trial {answer.trial}, which did not return to be promoted"
                trial = suggested[answer.trial]
                assert trial.state is TrialState.FINISHED, f"promotes trial {answer.trial}, which is {trial.state}"
                assert trial.budget is not None and answer.budget > trial.budget, "promotes to a smaller budget"
                trial.budget, trial.rung, trial.state = answer.budget, answer.rung, TrialState.RUNNING
                trial.notes.append(answer.reason)
                running[answer.trial] = trial
                draws.history.went_on(answer.trial)
                if not answer.resumable:
                    resumable.discard(answer.trial)
            else:
                assert answer == IDLE, f"answered {answer!r}, not a Trial, a Promotion, 'IDLE' or None"
                assert running, "answered 'IDLE' while no trial is running: the experiment would never go on"
                break
        if not running:
            break
        trial = running.pop(order.choice(sorted(running)))
        assert trial.trial_id is not None
        result = loss(trial)
        trial.state = TrialState.FAILED if result is None else TrialState.FINISHED
        if optimizer.judges and result is not None:
            for step in range(1, steps + 1):
                trial.reason = optimizer.judge(trial, step, result)
                if trial.reason is not None:
                    trial.state = TrialState.STOPPED
                    break
        trial.final_metric = -result if result is not None and direction == "max" else result
        if not any(each is trial for each in finished):
            finished.append(trial)
        on_end(trial)
        losses = None if result is None else (result,)
        draws.history.observed(trial.trial_id, losses, trial.budget, runs=False)
        optimizer.observe(Report(trial=trial, loss=result, losses=losses))
    optimizer.finalize()
    return suggested


class OptimizerContract:
    """The suite. Say how your optimizer is made, and give it a space that it can search."""

    num_trials = 12

    def make(self) -> Optimizer | AbstractOptimizer:
        """A new optimizer, made the same way at every call."""
        raise NotImplementedError

    def space(self) -> Searchspace:
        """What it searches."""
        return Searchspace(
            kernel=("INTEGER", [2, 8]),
            dropout=("DOUBLE", [0.01, 0.99]),
            batch=("DISCRETE", [16, 32, 64]),
            layers=("CATEGORICAL", [[64], [64, 32]]),
        )

    def play(self, **changes: Any) -> list[Trial]:
        """The trials that a new optimizer suggests, see `maggy.testing.play`."""
        return play(self.make(), self.space(), **{"num_trials": self.num_trials, **changes})

    def params(self, **changes: Any) -> list[Params]:
        """Their hyperparameters."""
        return [trial.params for trial in self.play(**changes)]

    def test_it_suggests_something(self) -> None:
        assert self.play()

    def test_a_search_is_repeated_by_its_seed(self) -> None:
        assert self.params(seed=7) == self.params(seed=7)

    def test_every_suggestion_has_one_value_of_the_space_for_each_hyperparameter(self) -> None:
        parameters = self.space().parameters
        for params in self.params():
            assert params.keys() - BUDGET_NAMES == set(parameters)
            for name, parameter in parameters.items():
                assert params[name] in parameter, f"{name}={params[name]!r} lies outside of {parameter}"

    def test_suggestions_survive_json(self) -> None:
        for params in self.params():
            assert json.loads(json.dumps(params)) == params

    def test_the_global_random_streams_are_left_alone(self) -> None:
        before = global_streams()
        self.play()
        assert global_streams() == before

    def test_no_two_trials_share_a_list(self) -> None:
        lists = [value for params in self.params() for value in params.values() if isinstance(value, list)]
        assert len({id(value) for value in lists}) == len(lists)

    def test_the_space_and_the_trials_that_it_sees_stay_as_they_are(self) -> None:
        space, ended = self.space(), dict[int | None, str]()

        def remember(trial: Trial) -> None:
            ended[trial.trial_id] = trial.to_json()

        trials = play(self.make(), space, num_trials=self.num_trials, on_end=remember)
        assert space == self.space()
        assert {trial.trial_id: trial.to_json() for trial in trials} == ended

    def test_minimising_a_metric_is_maximising_its_negative(self) -> None:
        assert self.params(direction="min") == self.params(direction="max")

    def test_it_gets_along_with_any_number_of_workers(self) -> None:
        for workers in (1, 2, 50):
            assert self.play(workers=workers)

    def test_it_gets_along_when_every_trial_fails(self) -> None:
        assert self.play(loss=lambda trial: None)
