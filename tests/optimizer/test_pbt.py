"""Population-based training: Jaderberg et al., arXiv 1711.09846."""

import random
from math import ceil, inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.errors import ConfigError
from maggy.optimizer import IDLE, PBT
from maggy.optimizer.budgeted.explore import perturbed
from maggy.searchspace import Choice, Normal, Rand, RandInt, Searchspace, Space, TransitionChoice
from maggy.testing import OptimizerContract, Stage, play
from maggy.trial import TrialState

space = Searchspace(x=("DOUBLE", [0, 1]))


class TestPBT(OptimizerContract):
    def make(self):
        return PBT(budget_max=4)


class TestPBTWithALargePart(OptimizerContract):
    def make(self):
        return PBT(population=5, interval=2, budget_max=9, quantile=0.5, resample=0.0)


def begun(count: int, **arguments) -> tuple[Stage, list]:
    stage = Stage(PBT(count, **{"budget_max": 3, **arguments}), space)
    return stage, [stage.ask() for _ in range(count)]


# --- who goes on, and from where --------------------------------------------------------------


def test_the_worst_of_five_ends_and_a_new_trial_begins_with_the_checkpoint_of_the_best():
    stage, trials = begun(5)
    for trial, loss in zip(trials, (0.4, 0.1, 0.3, 0.9, 0.5), strict=True):
        stage.end(trial, loss)
    answers = [stage.ask() for _ in range(5)]
    assert [answer.trial_id for answer in answers] == [0, 1, 2, 5, 4]
    assert [answer.budget for answer in answers] == [2] * 5
    child = answers[3]
    assert (child.parent, child.rung, child.resumable, child.origin) == (1, 1, True, "perturbed")
    assert child.notes == ["goes on from trial 1 (0.1) in place of trial 3, which (0.9) was 5th of 5"]
    assert trials[0].notes == ["goes on to budget 2: 3rd of 5"]
    assert trials[3].budget == 1  # it has ended


def test_the_metric_in_the_reason_has_the_users_sign():
    stage = Stage(PBT(2, quantile=0.5), space, direction="max")
    for trial, loss in zip([stage.ask(), stage.ask()], (-0.9, -0.2), strict=True):
        stage.end(trial, loss)
    assert stage.ask().trial_id == 0
    assert stage.ask().notes == ["goes on from trial 0 (0.9) in place of trial 1, which (0.2) was 2nd of 2"]


def test_nobody_waits_for_the_others():
    stage, trials = begun(5)
    stage.end(trials[0], 0.5)
    assert stage.ask() is trials[0]
    stage.end(trials[0], 0.4)
    assert stage.ask() is trials[0]
    assert trials[0].budget == 3
    assert stage.ask() == IDLE


def test_before_all_have_returned_the_worst_fifth_of_four_is_nobody():
    stage, trials = begun(20)
    for trial in trials[:4]:
        stage.end(trial, trial.trial_id / 10)
    assert [stage.ask() for _ in range(4)] == trials[:4]
    for trial in trials[4:10]:
        stage.end(trial, trial.trial_id / 10)
    answers = [stage.ask() for _ in range(6)]  # two of ten
    assert [answer.parent is None for answer in answers] == [True] * 4 + [False] * 2
    assert {answer.parent for answer in answers[4:]} <= {0, 1}


def test_first_members_begin_before_any_goes_on():
    stage = Stage(PBT(3, quantile=0.5), space)
    for number in range(3):
        trial = stage.ask()
        assert trial.trial_id == number
        stage.end(trial, number / 10)
    assert stage.ask().trial_id == 0


def test_a_parent_has_come_at_least_as_far_and_is_still_training():
    stage, trials = begun(2, quantile=0.5, budget_max=2)
    ahead, behind = trials
    stage.end(ahead, 0.9)
    assert stage.ask() is ahead  # alone it is nobody's loser
    stage.end(ahead, 0.9)
    stage.end(behind, 0.1)
    assert stage.ask() is behind  # `ahead` is done: it is no parent, and is not replaced by one that is behind
    stage.end(behind, 0.1)
    assert stage.ask() is None


def test_a_failed_or_stopped_member_is_replaced_as_soon_as_there_is_a_parent():
    stage, trials = begun(3, quantile=0.5)
    failed, stopped, good = trials
    stage.end(failed, None)
    stage.end(stopped, 0.0, TrialState.STOPPED)
    assert stage.ask() == IDLE
    stage.end(good, 0.5)
    children = [stage.ask(), stage.ask()]
    assert [child.parent for child in children] == [2, 2]
    assert children[0].notes == ["goes on from trial 2 (0.5) in place of trial 0, which has no result"]
    assert stage.ask() is good


def test_a_member_that_fails_later_is_replaced_by_one_that_has_come_as_far():
    stage, trials = begun(3)
    for trial in trials:
        stage.end(trial, 0.1 * trial.trial_id)
    first, second = stage.ask(), stage.ask()
    child = stage.ask()
    assert child.parent == 0
    stage.end(second, None)  # on its way to budget 2
    assert stage.ask() == IDLE
    stage.end(first, 0.0)
    answer = stage.ask()
    assert (answer.parent, answer.budget) == (0, 3)


@pytest.mark.parametrize("loss", [None, nan, inf])
def test_it_is_over_when_all_have_failed(loss):
    stage, trials = begun(4)
    for trial in trials:
        stage.end(trial, loss)
    assert stage.ask() is None


def test_every_member_is_trained_to_the_largest_budget_also_if_that_is_no_multiple_of_the_interval():
    trials = play(PBT(interval=4, budget_max=10), space, num_trials=8, loss=lambda trial: trial.params["x"])
    first = [trial for trial in trials if trial.parent is None]
    assert len(first) == 8
    assert {budget for trial in trials for budget, _ in trial.rungs} == {4, 8, 10}
    assert max(trials, key=lambda trial: -trial.params["x"]).budget == 10


def test_the_population_gets_better_by_itself():
    trials = play(
        PBT(budget_max=20, resample=0.0),
        space,
        num_trials=10,
        workers=10,
        loss=lambda trial: abs(trial.params["x"] - 0.5),
    )
    ends = [trial for trial in trials if trial.budget == 20]
    assert len(ends) == 10
    first = [abs(trial.params["x"] - 0.5) for trial in trials[:10]]
    last = [abs(trial.params["x"] - 0.5) for trial in ends]
    assert sum(last) < sum(first) / 2


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 8), st.integers(1, 6), st.integers(1, 4), st.sampled_from([0.1, 0.25, 0.5]), st.integers(0, 2**32)
)
def test_losers_are_among_the_worst_parents_among_the_best_and_budgets_keep_to_the_plan(
    population, workers, interval, quantile, seed
):
    budget_max = 7
    stream = random.Random(seed)
    stage = Stage(PBT(population, interval, budget_max, quantile), space, seed=seed)
    latest: dict[int, tuple[float, float]] = {}  # loss and budget of the members that live
    replaced: dict[int, list[int]] = {}  # losers that count until the trial in their place returns, by its parent
    running, over, first = [], False, 0
    while not over or running:
        while not over and len(running) < workers:
            answer = stage.ask()
            over = answer is None
            if over or answer == IDLE:
                break
            running.append(answer)
            assert answer.budget <= budget_max
            assert answer.budget % interval == 0 or answer.budget == budget_max
            if answer.parent is not None and not answer.rungs:
                part = min(max(int(quantile * len(latest)), 1), len(latest) // 2)
                ranking = sorted(latest, key=lambda trial: (latest[trial][0], trial))
                assert answer.parent in ranking[:part]
                loser = int(answer.notes[0].split("in place of trial ")[1].split(",")[0])
                assert loser in ranking[-part:] or latest[loser][0] == inf
                assert latest[loser][1] <= latest[answer.parent][1] < answer.budget
                replaced.setdefault(answer.parent, []).append(loser)
            elif not answer.rungs:
                first += 1
        if running:
            trial = running.pop(stream.randrange(len(running)))
            goal, loss = trial.budget, stream.choice([None, *(stream.random() for _ in range(5))])
            if trial.parent is not None and trial.trial_id not in latest:
                del latest[replaced[trial.parent].pop(0)]
            stage.end(trial, loss)
            latest[trial.trial_id] = (inf if loss is None else loss, goal)
    assert first == population
    assert len(stage.trials) <= population * ceil(budget_max / interval)


# --- exploring --------------------------------------------------------------------------------


def explored(space: Space, params: dict, resample: float = 0.0, count: int = 200) -> list[dict]:
    return [
        perturbed(space, params, np.random.default_rng(seed), resample=resample, factors=(0.8, 1.2))
        for seed in range(count)
    ]


def test_numbers_are_multiplied_within_their_range():
    wide = Space(lr=Rand(1e-5, 1.0, log=True), momentum=Rand(0.5, 1.0), shift=Normal(0.0, 1.0))
    found = explored(wide, {"lr": 0.01, "momentum": 0.9, "shift": 0.5})
    assert {round(params["lr"], 9) for params in found} == {0.008, 0.012}
    assert {round(params["momentum"], 9) for params in found} == {0.72, 1.0}
    assert {round(params["shift"], 9) for params in found} == {0.4, 0.6}


def test_whole_numbers_that_are_too_small_to_change_move_one_step():
    found = explored(Space(layers=RandInt(1, 9), width=RandInt(10, 1000)), {"layers": 2, "width": 100})
    assert {params["layers"] for params in found} == {1, 3}
    assert {params["width"] for params in found} == {80, 120}
    assert {params["layers"] for params in explored(Space(layers=RandInt(1, 9)), {"layers": 1})} == {1, 2}


def test_values_in_order_move_to_a_neighbour_and_categories_stay():
    mixed = Space(batch=TransitionChoice(16, 32, 64, 128), act=Choice("relu", "tanh", "gelu"))
    found = explored(mixed, {"batch": 64, "act": "tanh"})
    assert {params["batch"] for params in found} == {32, 128}
    assert {params["act"] for params in found} == {"tanh"}
    assert {params["batch"] for params in explored(mixed, {"batch": 128, "act": "relu"})} == {64, 128}


def test_what_is_drawn_anew_may_be_anything():
    found = explored(Space(act=Choice("relu", "tanh"), x=Rand(0, 1)), {"act": "relu", "x": 0.5}, resample=1.0)
    assert {params["act"] for params in found} == {"relu", "tanh"}
    assert len({params["x"] for params in found}) == len(found)


def test_a_hyperparameter_that_comes_into_being_gets_a_value():
    conditional = Space(optimizer=Choice("sgd", "adam"), momentum=Rand(0, 1).when(optimizer="sgd"))
    found = explored(conditional, {"optimizer": "adam"}, resample=0.5)
    assert {tuple(params) for params in found} == {("optimizer",), ("optimizer", "momentum")}
    assert all(conditional.allows(params) for params in found)


def test_the_given_configuration_is_left_alone_and_its_lists_are_not_shared():
    nested = Space(net=[RandInt(1, 9), RandInt(1, 9)])
    given_params = {"net": [5, 5]}
    assert all(params["net"] is not given_params["net"] for params in explored(nested, given_params))
    assert given_params == {"net": [5, 5]}


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population": 1}, "population must be a whole number from 2 up, got 1"),
        ({"population": 2.5}, "population must be a whole number from 2 up, got 2.5"),
        ({"interval": 0}, "interval=0 must be greater than 0 and not greater than budget_max=10"),
        ({"interval": 11}, "interval=11 must be greater than 0 and not greater than budget_max=10"),
        ({"quantile": 0.6}, "quantile must be greater than 0 and at most 0.5, got 0.6"),
        ({"resample": 2}, "resample is a probability, got 2"),
        ({"interval": "a"}, "interval='a' must be greater than 0"),
        ({"quantile": "x"}, "quantile must be greater than 0 and at most 0.5, got 'x'"),
        ({"resample": None}, "resample is a probability, got None"),
        ({"factors": 0.8}, "factors must be numbers greater than 0"),
        ({"factors": ()}, "factors must be numbers greater than 0"),
        ({"factors": (0.8, -1)}, "factors must be numbers greater than 0"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ConfigError, match=message):
        PBT(**arguments)


def test_a_function_without_a_budget_is_told_what_to_do():
    with pytest.raises(ConfigError, match="PBT gives every trial a budget"):
        Stage(PBT(), space, takes_budget=False)
