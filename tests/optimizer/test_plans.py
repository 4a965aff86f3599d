"""Plans, successive halving and Hyperband."""

import random
from collections import defaultdict
from math import inf, isfinite, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer import GP, IDLE, TPE, Asha, Hyperband, Plan, RandomSearch, SuccessiveHalving, resolve
from maggy.searchspace import Searchspace
from maggy.testing import OptimizerContract, Stage, play
from maggy.trial import TrialState

space = Searchspace(x=("DOUBLE", [0, 1]))


class TestSuccessiveHalving(OptimizerContract):
    def make(self):
        return SuccessiveHalving()


class TestSuccessiveHalvingByAPlanInRounds(OptimizerContract):
    num_trials = 20

    def make(self):
        return SuccessiveHalving(Plan([(2, 8), (4, 3), (10, 1)], n=8))


class TestHyperband(OptimizerContract):
    num_trials = 40

    def make(self):
        return Hyperband(1, 9)


class TestHyperbandOverPlans(OptimizerContract):
    num_trials = 30

    def make(self):
        return Hyperband(plans=[[(1, 9), (3, 3)], [(3, 4), (9, 1)]])


class TestBohb(OptimizerContract):
    num_trials = 20

    def make(self):
        return resolve("bohb")


class TestRandomSearchWithAPruner(OptimizerContract):
    num_trials = 40

    def make(self):
        return RandomSearch(pruner="hyperband", pruner_kwargs={"min_budget": 1, "max_budget": 4, "eta": 2})


def x(trial):
    return trial.params["x"]


def budgets(trials) -> dict[int, int]:
    """How many trials came to each budget."""
    counts = defaultdict(int)
    for trial in trials:
        for budget, _ in trial.rungs:
            counts[budget] += 1
    return dict(sorted(counts.items()))


# --- plans ------------------------------------------------------------------------------------


def entering(plan: Plan) -> list[tuple[int, float]]:
    """How many come to each budget, as the tables of the papers have it."""
    sizes = [plan.n, *(keep for _, keep in plan.rungs[:-1])]
    return [(size, budget) for size, (budget, _) in zip(sizes, plan.rungs, strict=True)]


def test_hyperband_with_81_and_3_has_the_brackets_of_algorithm_1():
    """R=81, eta=3: s_max=4, B=5R, n=ceil(5 * 3**s / (s + 1)), n_i=floor(n / 3**i), r_i=81 / 3**(s - i)."""
    assert [entering(plan) for plan in Plan.hyperband(1, 81, 3)] == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_the_budgets_of_hyperband_end_with_the_largest_and_whole_ones_are_ints():
    plans = Plan.hyperband(1, 10, 3)
    assert [len(plan.rungs) for plan in plans] == [3, 2, 1]
    for plan in plans:
        assert repr(plan.rungs[-1][0]) == "10"
    assert plans[0].rungs[0][0] == pytest.approx(10 / 9)
    assert entering(Plan.hyperband(0.01, 0.09, 3)[0]) == [(9, 0.01), (3, 0.03), (1, 0.09)]


def test_successive_halving_keeps_one_in_eta_and_at_least_one():
    assert entering(Plan.halving(81, 1, 81, 3)) == [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]
    assert entering(Plan.halving(20, 2, 20, 2)) == [(20, 2), (10, 4), (5, 8), (2, 16)]
    assert entering(Plan.halving(5, 1, 27, 3)) == [(5, 1), (1, 3), (1, 9), (1, 27)]


def test_increments_add_up_to_totals():
    assert Plan.from_increments([(1.0, 16), (2, 8), (4, 4), (1.5, 1)], n=16) == (
        Plan([(1, 16), (3, 8), (7, 4), (8.5, 1)], n=16)
    )


def test_whole_budgets_of_a_plan_are_ints():
    assert repr(Plan([(1.0, 3), (2.5, 1)]).rungs) == "((1, 3), (2.5, 1))"


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        ([], "needs at least one rung"),
        (5, r"a plan is a list of \(budget, keep\), e.g. \[\(1, 9\), \(3, 1\)\], got 5"),
        ([(1, 2, 3)], "a plan is a list of"),
        ([(3, 9), (3, 1)], "budget 3 must be a number greater than 3, .* For increments use Plan.from_increments"),
        ([(0, 9)], "budget 0 must be a number greater than 0"),
        ([(inf, 9)], "budget inf must be a number greater than 0"),
        ([("1", 9)], "budget '1' must be a number"),
        ([(1, 0)], "keep must be a whole number from 1 up, got 0"),
        ([(1, 1.5)], "keep must be a whole number from 1 up, got 1.5"),
    ],
)
def test_what_is_no_plan_is_told_what_is(rungs, message):
    with pytest.raises(ConfigError, match=message):
        Plan(rungs)


# --- successive halving -----------------------------------------------------------------------


def test_all_run_to_the_first_budget_and_the_best_go_on():
    trials = play(SuccessiveHalving([(1, 4), (3, 2), (9, 1)]), space, num_trials=10, loss=x)
    best = sorted(trials, key=x)
    assert [trial.budget for trial in best] == [9, 9, 3, 3, *[1] * 6]
    assert [trial.rungs[-1][0] for trial in best[:2]] == [9, 9]
    assert best[0].notes == [
        "promoted to budget 3: 1st of 10 at budget 1, the best 4 go on",
        "promoted to budget 9: 1st of 4 at budget 3, the best 2 go on",
    ]


def test_a_warm_up_is_a_rung_that_keeps_all():
    trials = play(SuccessiveHalving([(5, 10), (6, 2), (8, 1)]), space, num_trials=10, loss=x)
    assert budgets(trials) == {5: 10, 6: 10, 8: 2}


def test_the_best_are_those_with_the_largest_metric_where_that_is_asked_for():
    trials = play(SuccessiveHalving(max_budget=9), space, num_trials=9, direction="max", loss=lambda t: -x(t))
    assert max(trials, key=lambda trial: trial.final_metric).budget == 9
    assert max(trials, key=x).budget == 9


def test_the_shorthand_runs_all_configurations_in_one_go_or_n_at_a_time():
    assert budgets(play(SuccessiveHalving(max_budget=9), space, num_trials=27, loss=x)) == {1: 27, 3: 9, 9: 3}
    assert budgets(play(SuccessiveHalving(n=9, max_budget=9), space, num_trials=27, loss=x)) == {1: 27, 3: 9, 9: 3}
    trials = play(SuccessiveHalving(n=9, max_budget=9), space, num_trials=27, loss=x)
    assert sorted(trial.bracket for trial in trials) == [0] * 9 + [1] * 9 + [2] * 9


def test_a_worker_that_could_only_wait_begins_the_next_round():
    stage = Stage(SuccessiveHalving(Plan([(1, 1), (2, 1)], n=2)), space, num_trials=4)
    slow, fast = stage.ask(), stage.ask()
    stage.end(fast, 0.5)
    other = stage.ask()
    assert (other.trial_id, other.bracket, other.budget) == (2, 1, 1)
    stage.end(slow, 0.1)
    assert stage.ask() is slow  # the older bracket first
    assert (slow.budget, slow.rung, slow.resumable) == (2, 1, False)
    assert stage.ask().bracket == 1
    assert stage.ask() == IDLE
    stage.end(slow, 0.1)
    assert stage.ask() == IDLE  # of bracket 1 one will go on
    for trial in list(stage.running.values()):
        stage.end(trial, 0.2)
    assert stage.ask().trial_id == 2
    assert stage.ask() is None


def test_when_configurations_run_out_a_round_goes_on_with_its_share():
    stage = Stage(SuccessiveHalving(Plan([(1, 4), (3, 2), (9, 1)], n=8)), space, num_trials=12)
    while (trial := stage.ask()) is not None:
        stage.end(trial, x(trial))
    assert budgets(stage.trials) == {1: 8 + 4, 3: 4 + 2, 9: 2 + 1}


def test_a_failed_or_stopped_trial_is_the_worst_and_does_not_go_on_even_if_there_is_room():
    stage = Stage(SuccessiveHalving([(1, 3), (2, 1)]), space, num_trials=5)
    failed, stopped, diverged, good, better = (stage.ask() for _ in range(5))
    stage.end(failed, None)
    stage.end(stopped, -9.0, TrialState.STOPPED)
    stage.end(diverged, nan)
    stage.end(good, 2.0)
    assert stage.ask() == IDLE
    stage.end(better, 1.0)
    assert [stage.ask(), stage.ask(), stage.ask()] == [better, good, None]


def test_it_is_over_when_all_have_failed():
    stage = Stage(SuccessiveHalving([(1, 3), (2, 1)]), space, num_trials=2)
    for trial in (stage.ask(), stage.ask()):
        stage.end(trial, None)
    assert stage.ask() is None


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(1, 12),
    st.integers(1, 30),
    st.integers(1, 6),
    st.integers(0, 2**32),
)
def test_every_round_runs_its_plan_and_the_promoted_are_the_best_of_it(keeps, n, num_trials, workers, seed):
    rungs = [(2 ** (i + 1), keep) for i, keep in enumerate(keeps)]
    results = defaultdict(dict)  # by bracket and budget

    def loss(trial):
        stream = random.Random(f"{seed}, {trial.trial_id}, {trial.budget}")
        result = stream.choice([None, nan, *(stream.random() for _ in range(5))])
        results[trial.bracket, trial.budget][trial.trial_id] = (
            result if result is not None and isfinite(result) else inf
        )
        return result

    optimizer = SuccessiveHalving(Plan(rungs, n=n))
    trials = play(optimizer, space, num_trials=num_trials, workers=workers, seed=seed, loss=loss)
    assert len(trials) == num_trials
    for bracket in {trial.bracket for trial in trials}:
        entered = [trial.trial_id for trial in trials if trial.bracket == bracket]
        assert set(entered) == set(results[bracket, 2])
        assert len(entered) == n or (bracket == max(t.bracket for t in trials) and len(entered) == num_trials % n)
        for budget, keep in rungs[:-1]:
            here = results[bracket, budget]
            room = keep if len(entered) == n else max(1, keep * len(entered) // n)
            best = sorted(here, key=lambda trial: (here[trial], trial))[:room]
            assert set(results[bracket, 2 * budget]) == {trial for trial in best if isfinite(here[trial])}


# --- hyperband --------------------------------------------------------------------------------


def test_hyperband_runs_the_brackets_of_the_table_and_then_begins_again():
    trials = play(Hyperband(1, 9), space, num_trials=(9 + 5 + 3) * 2, loss=x)
    sizes = [sum(trial.bracket == bracket for trial in trials) for bracket in range(6)]
    assert sizes == [9, 5, 3, 9, 5, 3]
    assert budgets(trials[:9]) == {1: 9, 3: 3, 9: 1}
    assert budgets([trial for trial in trials if trial.bracket == 1]) == {3: 5, 9: 1}
    assert budgets([trial for trial in trials if trial.bracket == 5]) == {9: 3}


def test_n_iterations_runs_so_many_brackets_whatever_the_number_of_trials():
    for num_trials in (1, 1000):
        trials = play(Hyperband(1, 9, n_iterations=4), space, num_trials=num_trials, loss=x)
        assert len(trials) == 9 + 5 + 3 + 9


def test_idle_workers_are_filled_from_the_next_bracket():
    stage = Stage(Hyperband(1, 9), space, num_trials=17)
    trials = [stage.ask() for _ in range(17)]
    assert [trial.budget for trial in trials] == [1] * 9 + [3] * 5 + [9] * 3
    assert [trial.resumable for trial in trials] == [True] * 14 + [False] * 3
    assert stage.ask() == IDLE


def test_plans_without_n_share_the_configurations_by_what_their_first_rungs_keep():
    optimizer = Hyperband(plans=[[(1, 9), (3, 3)], [(3, 3), (9, 1)], Plan([(27, 6)])])
    trials = play(optimizer, space, num_trials=36, loss=x)
    assert [sum(trial.bracket == bracket for trial in trials) for bracket in range(3)] == [18, 6, 12]
    assert budgets(trials) == {1: 18, 3: 9 + 6, 9: 3, 27: 12}


def test_a_share_of_less_than_one_configuration_is_left_out():
    trials = play(Hyperband(plans=[[(1, 1)], [(2, 99)]]), space, num_trials=10)
    assert {trial.budget for trial in trials} == {2}


def test_plans_with_n_are_run_over_again():
    plans = [Plan([(1, 1), (2, 1)], n=3), Plan([(5, 1)], n=1)]
    trials = play(Hyperband(plans=plans), space, num_trials=8, loss=x)
    assert [sum(trial.bracket == bracket for trial in trials) for bracket in range(4)] == [3, 1, 3, 1]
    assert len(play(Hyperband(plans=plans, n_iterations=3), space, num_trials=1)) == 7


def test_bohb_and_mobster_are_hyperband_and_asha_over_a_model():
    bohb, mobster = resolve("BOHB"), resolve("mobster")
    assert (type(bohb), type(bohb.sampler)) == (Hyperband, TPE)
    assert (type(mobster), type(mobster.sampler)) == (Asha, GP)


def test_a_model_learns_from_every_budget_at_which_trials_return():
    optimizer = resolve("bohb")
    trials = play(optimizer, space, num_trials=40, loss=x)
    assert {trial.origin for trial in trials} == {"random", "model"}
    history = optimizer.setting.draws.history
    seen = [(each.trial, each.budget) for each in history.observations]
    assert sorted(seen) == sorted((trial.trial_id, budget) for trial in trials for budget, _ in trial.rungs)


def test_the_historical_pruner_means_hyperband_over_that_sampler():
    sampler = RandomSearch(pruner="Hyperband", pruner_kwargs={"min_budget": 1, "max_budget": 9, "n_iterations": 1})
    optimizer = resolve(sampler)
    assert isinstance(optimizer, Hyperband)
    assert isinstance(optimizer.sampler, RandomSearch)
    assert len(play(sampler, space)) == 9
    assert type(resolve(RandomSearch())) is RandomSearch


def test_an_unknown_pruner_or_argument_of_it_is_refused():
    with pytest.raises(UnknownNameError, match="unknown pruner 'median'"):
        resolve(RandomSearch(pruner="median"))
    with pytest.raises(ConfigError, match=r"are not arguments of Hyperband, which takes min_budget, .* 'maximum'"):
        resolve(RandomSearch(pruner="hyperband", pruner_kwargs={"maximum": 3}))
    with pytest.raises(ConfigError, match="a sampler within another optimizer has no pruner"):
        SuccessiveHalving(sampler=RandomSearch(pruner="hyperband"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Hyperband(9, 1), "min_budget=9 must not be greater than max_budget=1"),
        (lambda: Hyperband(eta=1), "eta must be a whole number from 2 up, got 1"),
        (lambda: Hyperband(n_iterations=0), "n_iterations must be a whole number from 1 up"),
        (lambda: Hyperband(plans=[]), "plans must be one or more"),
        (lambda: Hyperband(plans=[[(1, 1)], Plan([(1, 1)], n=3)]), "either all of them say"),
        (lambda: Hyperband(plans=[[(1, 1)]], n_iterations=2), "with n_iterations all must"),
        (lambda: SuccessiveHalving([(2, 1), (1, 1)]), "budget 1 must be a number greater than 2"),
        (lambda: SuccessiveHalving(n=0), "n must be a whole number from 1 up, got 0"),
    ],
)
def test_bad_arguments_are_refused_at_once(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("make", [Hyperband, SuccessiveHalving])
def test_a_function_without_a_budget_is_told_what_to_do(make):
    with pytest.raises(ConfigError, match=r"Give it an argument `budget`.* or use Asha\(form='stopping'\)"):
        Stage(make(), space, takes_budget=False)
