"""What every optimizer must do."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any

from maggy.optimizer import IDLE, AbstractOptimizer, Optimizer
from maggy.searchspace import Searchspace
from maggy.testing.stage import Stage
from maggy.testing.streams import global_streams
from maggy.trial import Direction, Params, Trial, TrialState


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
    curve: Callable[[Trial, int], float] | None = None,
    stops: Callable[[Trial], bool] = lambda trial: False,
    on_end: Callable[[Trial], None] = lambda trial: None,
    takes_budget: bool = True,
    steps: int = 9,
) -> list[Trial]:
    """Play an experiment without a driver: workers ask, and end their trials in a shuffled order.

    optimizer     what is tried
    space         what it draws from
    num_trials    how many trials there are at most
    direction     "min" or "max", which the optimizer is told
    seed          of the draws, and of the order in which trials end
    workers       how many trials run at once
    loss          the loss of a trial at its `budget`, None for one that fails; its metric is negated for "max"
    curve         the loss at a step, where the optimizer judges steps; `loss` at each of them if left out
    stops         whether a stopping rule ends this run of a trial before it has reached its budget
    on_end        called with each trial that has ended, before the optimizer learns of it
    takes_budget  whether the training function would ask for a `budget`
    steps         how many steps a trial has, counted from 1, where the optimizer judges them

    Returns the suggested trials in order. Raises AssertionError where the optimizer breaks its contract in a way that
    would hang or flood an experiment.
    """
    stage = Stage(
        optimizer,
        space,
        num_trials=num_trials,
        direction=direction,
        seed=seed,
        takes_budget=takes_budget,
        on_end=on_end,
    )
    order = random.Random(seed)
    step_of: dict[int, int] = {}
    exhausted = False
    while True:
        while not exhausted and len(stage.running) < workers:
            answer = stage.ask()
            exhausted = answer is None
            if answer == IDLE:
                break
        if not stage.running:
            break
        number = order.choice(sorted(stage.running))
        trial = stage.running[number]
        result = loss(trial)
        if result is not None and stage.optimizer.judges and not stops(trial):
            step = step_of[number] = step_of.get(number, 0) + 1
            at_step = result if curve is None else curve(trial, step)
            if stage.report(trial, step, at_step) is not None or step < steps:
                continue
            result = at_step
        stage.end(trial, result, TrialState.STOPPED if stops(trial) else TrialState.FINISHED)
    stage.optimizer.finalize()
    return stage.trials


class OptimizerContract:
    """The suite. Say how your optimizer is made, and give it a space that it can search."""

    num_trials = 12
    takes_budget = True
    """Whether the training function would ask for a `budget`."""

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
        settings = {"num_trials": self.num_trials, "takes_budget": self.takes_budget, **changes}
        return play(self.make(), self.space(), **settings)

    def params(self, **changes: Any) -> list[Params]:
        """Their hyperparameters."""
        return [trial.params for trial in self.play(**changes)]

    def story(self, **changes: Any) -> list[tuple[object, ...]]:
        """What became of them: hyperparameters, state, the budgets they returned at, and whose checkpoint they took."""
        return [
            (trial.params, trial.state, [budget for budget, _ in trial.rungs], trial.parent)
            for trial in self.play(**changes)
        ]

    def test_it_suggests_something(self) -> None:
        assert self.play()

    def test_a_search_is_repeated_by_its_seed(self) -> None:
        assert self.story(seed=7) == self.story(seed=7)

    def test_every_suggestion_has_one_value_of_the_space_for_each_hyperparameter(self) -> None:
        space = self.space()
        for params in self.params():
            assert space.allows(params), f"{params} lies outside of {space}"

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

        trials = play(self.make(), space, num_trials=self.num_trials, takes_budget=self.takes_budget, on_end=remember)
        assert space == self.space()
        assert {trial.trial_id: trial.to_json() for trial in trials} == ended

    def test_minimising_a_metric_is_maximising_its_negative(self) -> None:
        assert self.story(direction="min") == self.story(direction="max")

    def test_it_gets_along_with_any_number_of_workers(self) -> None:
        for workers in (1, 2, 50):
            assert self.play(workers=workers)

    def test_it_gets_along_when_every_trial_fails(self) -> None:
        assert self.play(loss=lambda trial: None)

    def test_it_gets_along_when_every_loss_is_nan(self) -> None:
        assert self.play(loss=lambda trial: math.nan)

    def test_it_gets_along_when_a_rule_stops_every_second_trial(self) -> None:
        assert self.play(stops=lambda trial: (trial.trial_id or 0) % 2 == 1)

    def test_whatever_it_decides_about_a_trial_has_a_reason_of_one_line(self) -> None:
        for trial in self.play():
            for reason in (*trial.notes, *([] if trial.reason is None else [trial.reason])):
                assert reason.strip(), f"a decision about trial {trial.trial_id} has no reason"
                assert "\n" not in reason
