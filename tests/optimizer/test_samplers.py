"""Every sampler passes the suite of all optimizers, avoids what runs, learns, and draws the same from the same."""

from __future__ import annotations

import math

import cloudpickle
import numpy as np
import pytest

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer import (
    CMAES,
    GP,
    NSGA2,
    TPE,
    Draws,
    Halton,
    History,
    HybridSearch,
    HyperoptTPE,
    OptunaSampler,
    RandomSearch,
    Sobol,
    resolve,
    sampler_named,
)
from maggy.searchspace import Choice, Grid, Rand, RandInt, Searchspace, Space, TransitionChoice
from maggy.testing import OptimizerContract, play


class TestTPE(OptimizerContract):
    num_trials = 20

    def make(self):
        return TPE(num_warmup_trials=4)


class TestGP(OptimizerContract):
    num_trials = 7

    def make(self):
        return GP(num_warmup_trials=5)


class TestCMAES(OptimizerContract):
    num_trials = 20

    def make(self):
        return CMAES(population=4)


class TestNSGA2(OptimizerContract):
    num_trials = 20

    def make(self):
        return NSGA2(population=4)


class TestSobol(OptimizerContract):
    def make(self):
        return Sobol()


class TestHalton(OptimizerContract):
    def make(self):
        return Halton()


class TestHyperoptTPE(OptimizerContract):
    num_trials = 16

    def make(self):
        return HyperoptTPE(num_warmup_trials=4)


class TestHybridSearch(OptimizerContract):
    num_trials = 30

    def make(self):
        return HybridSearch(sampler=TPE(num_warmup_trials=4))

    def space(self):
        space = super().space()
        space.add("depth", Grid(1, 2))
        return space


class TestAnOptunaSampler(OptimizerContract):
    num_trials = 20

    def make(self):
        from optuna.samplers import TPESampler

        return resolve(TPESampler(n_startup_trials=4))


CUBE = Space({f"x{i}": Rand(0, 1) for i in range(4)})
MODELS = [TPE, GP, HyperoptTPE]


def distance(params):
    """From the best point of the cube, squared."""
    return sum((value - 0.3) ** 2 for value in params.values())


def history_of(space, count, loss, *, budgets=(None,), failing=lambda params: False):
    """What is known after `count` random trials."""
    history, rng = History(space), np.random.default_rng(1)
    for number in range(count):
        params = space.draw(rng)
        history.began(number, params)
        losses = None if failing(params) else (loss(params),)
        history.observed(number, losses, budgets[number % len(budgets)], runs=False)
    return history


def begun(sampler, space, objectives=1):
    sampler.begin(space, objectives, 0)
    return sampler


def best_of(sampler, *, seed, num_trials, workers):
    ended = play(
        sampler, CUBE, num_trials=num_trials, workers=workers, seed=seed, loss=lambda trial: distance(trial.params)
    )
    return min(distance(trial.params) for trial in ended)


@pytest.mark.parametrize(
    ("make", "num_trials", "workers"),
    [
        (TPE, 60, 8),
        (TPE, 60, 1),
        (GP, 24, 4),
        (HyperoptTPE, 80, 4),
        (CMAES, 150, 4),
        (lambda: NSGA2(population=10), 150, 4),
    ],
)
def test_a_model_ends_nearer_to_the_best_point_than_random_search(make, num_trials, workers):
    search = {"num_trials": num_trials, "workers": workers}
    at_random = [best_of(RandomSearch(), seed=seed, **search) for seed in range(3)]
    with_model = [best_of(make(), seed=seed, **search) for seed in range(3)]

    assert sum(with_model) < sum(at_random) / 2


@pytest.mark.parametrize("make", MODELS)
def test_a_draw_depends_on_the_history_and_the_generator_alone(make):
    space = Space(x=Rand(0, 1), n=RandInt(1, 64, log=True), kind=Choice("a", "b"))
    history = history_of(space, 30, lambda params: (params["x"] - 0.3) ** 2 + params["n"])
    used = begun(make(), space)
    for seen in (24, 60, 40):
        used.draw(0, history.upto(seen), np.random.default_rng(seen))

    again = used.draw(0, history.upto(50), np.random.default_rng(7))

    assert again == begun(make(), space).draw(0, history.upto(50), np.random.default_rng(7))
    if make is not GP:  # which finds the same best point whatever it starts from
        assert again != used.draw(0, history.upto(50), np.random.default_rng(8))


@pytest.mark.parametrize("make", [TPE, GP, HyperoptTPE, CMAES, NSGA2, HybridSearch])
def test_a_sampler_travels_to_another_process_before_and_after_its_draws(make):
    history = history_of(CUBE, 12, distance)
    here = begun(make(), CUBE)
    there = cloudpickle.loads(cloudpickle.dumps(here))

    assert there.draw(0, history, np.random.default_rng(3)) == here.draw(0, history, np.random.default_rng(3))
    returned = cloudpickle.loads(cloudpickle.dumps(here))
    assert CUBE.allows(returned.draw(1, history, np.random.default_rng(4)))


@pytest.mark.parametrize("make", MODELS)
def test_parallel_draws_do_not_pile_up(make):
    history = history_of(CUBE, 25, distance)
    sampler = begun(make(), CUBE)
    draws = []
    for nth in range(8):
        draws.append(sampler.draw(nth, history, np.random.default_rng(nth)))
        history.imagine(draws[-1])

    apart = [math.dist(a.values(), b.values()) for index, a in enumerate(draws) for b in draws[:index]]
    assert min(apart) > 0.001


@pytest.mark.parametrize("make", MODELS)
def test_what_runs_changes_the_next_draw(make):
    history = history_of(CUBE, 25, distance)
    sampler = begun(make(), CUBE)
    alone = sampler.draw(0, history, np.random.default_rng(5))
    for trial in range(100, 108):
        history.began(trial, alone)

    assert sampler.draw(0, history, np.random.default_rng(5)) != alone


@pytest.mark.parametrize("make", MODELS)
def test_nothing_is_tried_twice_while_there_is_something_new(make):
    space = Space(a=TransitionChoice(1, 2, 3), b=Choice("x", "y", "z"))
    history = history_of(space, 0, None)
    combinations = [{"a": a, "b": b} for a in (1, 2, 3) for b in "xyz"]
    for number, params in enumerate(combinations[:-2]):
        history.began(number, params)
        history.observed(number, (float(number),), None, runs=False)
    history.began(100, combinations[-2])
    sampler = begun(make(num_warmup_trials=5), space)

    assert all(sampler.draw(0, history, np.random.default_rng(seed)) == combinations[-1] for seed in range(4))


@pytest.mark.parametrize("make", [*MODELS, CMAES, NSGA2, Sobol, Halton])
def test_what_is_forbidden_is_never_drawn(make):
    space = Space(a=Rand(0, 1), b=RandInt(1, 4)).forbid(lambda params: params["a"] < 0.8)
    trials = play(make(), space, num_trials=15, loss=lambda trial: trial.params["a"])

    assert all(trial.params["a"] >= 0.8 for trial in trials)


CONDITIONAL = Space(
    optimizer=Choice("sgd", "adam"),
    momentum=Rand(0, 1).when(optimizer="sgd"),
    beta=Rand(0, 1).when(optimizer="adam"),
    nested={"layers": [RandInt(1, 8), TransitionChoice(16, 32, 64)]},
)


def conditional_loss(params):
    if params["optimizer"] == "sgd":
        return 1 + params["momentum"]
    return abs(params["beta"] - 0.9)


@pytest.mark.parametrize("make", [*MODELS, CMAES, NSGA2, Sobol, Halton])
def test_a_hyperparameter_exists_under_its_condition_only(make):
    trials = play(make(), CONDITIONAL, num_trials=16, loss=lambda trial: conditional_loss(trial.params))

    assert all(CONDITIONAL.allows(trial.params) for trial in trials)
    assert {trial.params["optimizer"] for trial in trials} == {"sgd", "adam"}


@pytest.mark.parametrize("make", MODELS)
def test_a_model_learns_under_which_condition_to_search(make):
    history = history_of(CONDITIONAL, 40, conditional_loss)
    sampler = begun(make(), CONDITIONAL)

    draws = [sampler.draw(0, history, np.random.default_rng(seed)) for seed in range(8)]

    assert sum(params["optimizer"] == "adam" for params in draws) >= 6


@pytest.mark.parametrize("make", [TPE, GP, HyperoptTPE])
def test_a_model_searches_the_branches_of_a_union(make):
    union = Space(kind="mlp", width=RandInt(8, 64)) + Space(kind="cnn", kernel=TransitionChoice(3, 5, 7))
    trials = play(make(), union, num_trials=16, loss=lambda trial: float(trial.params["kind"] == "cnn"))

    assert all(union.allows(trial.params) for trial in trials)
    assert sum(trial.params["kind"] == "mlp" for trial in trials[-6:]) >= 4


@pytest.mark.parametrize("make", MODELS)
def test_where_trials_fail_a_model_goes_less(make):
    space = Space(x=Rand(0, 1), y=Rand(0, 1))
    history = history_of(
        space,
        60,
        lambda params: math.nan if 0.3 < params["x"] < 0.6 else params["y"],
        failing=lambda params: params["x"] <= 0.3,
    )
    sampler = begun(make(), space)

    draws = [sampler.draw(0, history, np.random.default_rng(seed)) for seed in range(8)]

    assert sum(params["x"] < 0.5 for params in draws) <= 2


@pytest.mark.parametrize("make", MODELS)
def test_draws_are_random_until_enough_trials_have_a_loss(make):
    sampler = make(num_warmup_trials=6)
    draws = Draws(sampler, CUBE, seed=0, most=100)
    origins = []
    for number in range(9):
        draw = draws.fresh()
        origins.append(draw.origin)
        draws.history.began(number, draw.params)
        draws.history.observed(number, None if number == 2 else (0.1 * number,), None, runs=False)

    assert origins == ["random"] * 7 + ["model"] * 2


@pytest.mark.parametrize("make", MODELS)
def test_a_model_is_fitted_to_the_largest_budget_that_has_enough_trials(make):
    """At budget 1 it looks as if 0.8 were best, at budget 9 it is 0.2."""
    space = Space(x=Rand(0, 1), y=Rand(0, 1))
    history, rng = History(space), np.random.default_rng(2)
    for number in range(60):
        params, budget = space.draw(rng), (1, 9)[number % 2]
        history.began(number, params)
        history.observed(number, ((params["x"] - (0.8 if budget == 1 else 0.2)) ** 2,), budget, runs=False)
    sampler = begun(make(), space)

    draws = [sampler.draw(0, history, np.random.default_rng(seed))["x"] for seed in range(8)]

    assert sum(x < 0.5 for x in draws) >= 7


@pytest.mark.parametrize("make", [TPE, GP, HyperoptTPE, CMAES, NSGA2])
def test_thousands_of_observations_are_no_burden(make):
    count = 10_000 if make in MODELS else 1_200  # the others learn them one by one, which takes a while the first time
    history = history_of(CUBE, count, distance, failing=lambda params: params["x0"] > 0.9)
    sampler = begun(make(), CUBE)

    params = sampler.draw(0, history, np.random.default_rng(0))

    assert CUBE.allows(params)
    if make in MODELS:
        assert distance(params) < 0.2  # by chance it is 0.5


def tradeoffs(params):
    """ZDT1 (Zitzler, Deb and Thiele, 2000): the best trade-offs have all but the first value at 0."""
    first, *others = params.values()
    rest = 1 + 9 * sum(others) / len(others)
    return first, rest * (1 - math.sqrt(first / rest))


def dominated_area(losses):
    """By how much a set of pairs is better than (1, 10)."""
    area, level = 0.0, 10.0
    for first, second in sorted(losses):
        if second < level:
            area, level = area + (1.0 - first) * (level - second), second
    return area


@pytest.mark.parametrize(("make", "num_trials"), [(TPE, 60), (NSGA2, 160), (GP, 15)])
def test_with_two_objectives_a_search_finds_better_tradeoffs_than_at_random(make, num_trials):
    space = Space({f"x{i}": Rand(0, 1) for i in range(3)})

    def area(sampler, seed):
        draws = Draws(sampler, space, seed=seed, most=num_trials, objectives=2)
        losses = []
        for number in range(num_trials):
            params = draws.fresh().params
            losses.append(tradeoffs(params))
            draws.history.began(number, params)
            draws.history.observed(number, losses[-1], None, runs=False)
        return dominated_area(losses)

    assert sum(area(make(), seed) for seed in (0, 1)) > sum(area(RandomSearch(), seed) for seed in (0, 1)) + 0.5


def test_quasi_random_points_fill_every_part_of_the_space():
    space = Space(x=Rand(0, 1), y=Rand(0, 1))
    for make in (Sobol, Halton):
        draws = Draws(make(), space, seed=3, most=64)
        cells = {(int(8 * p["x"]), int(8 * p["y"])) for p in (draws.fresh().params for _ in range(64))}
        assert len(cells) > 48  # of 64; random points reach 40


def test_a_quasi_random_point_has_its_number():
    for make in (Sobol, Halton):
        sampler = begun(make(), CUBE)
        in_order = [sampler.draw(n, History(CUBE), np.random.default_rng(0)) for n in range(6)]
        assert [sampler.draw(n, History(CUBE), np.random.default_rng(0)) for n in (5, 0, 3)] == [
            in_order[n] for n in (5, 0, 3)
        ]
        sampler.begin(CUBE, 1, 1)
        assert sampler.draw(5, History(CUBE), np.random.default_rng(0)) != in_order[5]


def test_random_fraction_is_the_share_of_draws_without_the_model():
    history = history_of(CUBE, 30, distance)
    far = {}
    for fraction in (0.0, 1.0):
        sampler = begun(TPE(random_fraction=fraction), CUBE)
        drawn = [sampler.draw(0, history, np.random.default_rng(seed)) for seed in range(30)]
        far[fraction] = sum(map(distance, drawn))
    assert far[1.0] > 1.5 * far[0.0]


def test_values_that_arguments_had_in_1_x_unless_given_are_accepted():
    TPE(gamma=0.15, n_samples=24, bw_estimation="normal_reference", bw_factor=3, interim_results_interval=10)
    GP(async_strategy="impute", impute_strategy="cl_min", acq_optimizer="lbfgs", random_fraction=0.33)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TPE(bw_factor=2), r"TPE\(bw_factor=2\) is not supported: the bandwidth follows"),
        (lambda: TPE(interim_results=True), r"under a multi-fidelity optimizer, e.g. Asha\(sampler='tpe'\)"),
        (lambda: GP(async_strategy="asy_ts"), r"GP\(async_strategy='asy_ts'\) is not supported"),
        (lambda: TPE(gamma=2), "gamma has to be a number from 0 to 1, got 2"),
        (lambda: GP(num_warmup_trials=0), "num_warmup_trials has to be a whole number of at least 1, got 0"),
        (lambda: NSGA2(population=1), "population has to be a whole number of at least 2, got 1"),
        (lambda: HybridSearch(share="fair"), "share has to be 'promise' or 'even', got 'fair'"),
        (lambda: OptunaSampler(3), "OptunaSampler takes a sampler of Optuna"),
        (lambda: sampler_named(3), "sampler must be one of 'randomsearch'"),
        (lambda: begun(TPE(), Searchspace()), "TPE has nothing to choose"),
        (lambda: begun(Sobol(), Searchspace()), "Sobol has nothing to choose"),
        (lambda: begun(CMAES(), Space(kind=Choice("a", "b"))), "no hyperparameter of the search space has an order"),
    ],
)
def test_what_cannot_work_is_an_error_that_says_what_to_do(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_library_that_is_not_there_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("maggy.optimizer.sampling.libraries.find_spec", lambda library: None)
    for sampler, message in (
        (TPE(), r"TPE needs optuna: pip install 'maggy\[search\]'"),
        (GP(), r"GP needs torch: pip install 'maggy\[gp\]'"),
        (CMAES(), r"CMAES needs cmaes: pip install 'maggy\[search\]'"),
        (Sobol(), r"Sobol needs scipy: pip install 'maggy\[search\]'"),
        (HyperoptTPE(), r"HyperoptTPE needs hyperopt: pip install 'maggy\[hyperopt\]'"),
    ):
        with pytest.raises(ConfigError, match=message):
            sampler.begin(CUBE)


def test_samplers_are_found_by_name_in_any_case():
    assert isinstance(sampler_named("TPE"), TPE)
    assert isinstance(sampler_named(GP), GP)
    assert isinstance(resolve("hyperopt"), HyperoptTPE)
    with pytest.raises(UnknownNameError, match="Did you mean 'sobol'"):
        sampler_named("sobl")
