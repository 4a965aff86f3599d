"""Samplers of Optuna: which of them see a study made of the history, and what the others are told."""

from __future__ import annotations

import logging
import warnings
from statistics import NormalDist

import numpy as np
import optuna
import pytest

from maggy.errors import ConfigError
from maggy.optimizer import CMAES, NSGA2, Draws, History, OptunaSampler, resolve, sampler_named
from maggy.optimizer.sampling.rebuilt_study import half_ranked
from maggy.searchspace import Choice, Rand, RandInt, Space
from maggy.testing import play

CUBE = Space({f"x{i}": Rand(0, 1) for i in range(3)})


def distance(params):
    return sum((value - 0.3) ** 2 for value in params.values())


class Recording(optuna.samplers.RandomSampler):
    """Remembers the trials that it is told of; copies of it share what is remembered."""

    told: list[tuple[str, dict, list[float] | None]]

    def __init__(self, told):
        super().__init__()
        self.told = told

    def __deepcopy__(self, memo):
        return Recording(self.told)

    def after_trial(self, study, trial, state, values):
        self.told.append((state.name, trial.params, values))


def test_a_sampler_of_optuna_can_be_given_as_it_is():
    for found in (resolve(optuna.samplers.TPESampler()), sampler_named(optuna.samplers.CmaEsSampler())):
        assert isinstance(found, OptunaSampler)
        assert len(play(found, CUBE, num_trials=8)) == 8


@pytest.mark.parametrize(
    "make",
    [
        lambda: OptunaSampler(optuna.samplers.RandomSampler()),
        lambda: OptunaSampler(optuna.samplers.TPESampler(seed=1, n_startup_trials=2)),
        lambda: OptunaSampler(lambda seed: optuna.samplers.NSGAIIISampler(population_size=4)),
        lambda: OptunaSampler(lambda seed: optuna.samplers.QMCSampler(seed=seed)),
        lambda: OptunaSampler(lambda seed: optuna.samplers.CmaEsSampler(seed=seed)),
    ],
)
def test_the_seed_of_the_experiment_rules(make):
    def params(seed):
        return [
            trial.params
            for trial in play(make(), CUBE, num_trials=16, seed=seed, loss=lambda trial: distance(trial.params))
        ]

    assert params(5) == params(5)
    assert params(5) != params(6)


def test_a_sampler_with_a_study_of_its_own_is_told_what_happens_once_and_in_order():
    told = []
    sampler = OptunaSampler(Recording(told))
    sampler.begin(CUBE)
    history = History(CUBE)
    first = {"x0": 0.1, "x1": 0.2, "x2": 0.3}
    history.began(0, first)  # drawn by something else
    history.observed(0, (3.0,), 1, runs=False)
    second = sampler.draw(0, history, np.random.default_rng(0))
    history.began(1, second)
    sampler.draw(0, history, np.random.default_rng(1))  # never begins
    history.observed(1, None, 1, runs=False)
    history.went_on(0)
    history.observed(0, (1.0,), 3, runs=False)  # it has counted with 3.0
    sampler.draw(0, history, np.random.default_rng(2))

    assert told == [("COMPLETE", first, [3.0]), ("FAIL", second, None)]


def test_a_population_goes_on_after_a_resume():
    """The sampler of the driver that is gone is lost; the next one is told everything that has happened."""
    before = Draws(CMAES(population=6), CUBE, seed=0, most=1000)
    for number in range(90):
        params = before.fresh().params
        before.history.began(number, params)
        before.history.observed(number, (distance(params),), None, runs=False)
    resumed = CMAES(population=6)
    resumed.begin(CUBE, 1, 0)

    drawn = [resumed.draw(0, before.history, np.random.default_rng(seed)) for seed in range(12)]

    assert sum(map(distance, drawn)) / 12 < 0.05  # by chance it is 0.37


def test_another_history_starts_a_study_afresh():
    told = []
    sampler = OptunaSampler(Recording(told))
    sampler.begin(CUBE)
    for number in (7, 8):
        history = History(CUBE)
        history.began(number, {"x0": 0.1, "x1": 0.2, "x2": number / 10})
        history.observed(number, (1.0,), None, runs=False)
        sampler.draw(0, history, np.random.default_rng(0))

    assert [params["x2"] for _, params, _ in told] == [0.7, 0.8]


@pytest.mark.parametrize("sampler", [CMAES(population=4), NSGA2(population=4)])
def test_whoever_drew_them_trials_make_a_generation(sampler):
    space = Space(x=Rand(0, 1), n=RandInt(1, 9), kind=Choice("a", "b")).start_with({"x": 0.5, "n": 5, "kind": "a"})
    trials = play(sampler, space, num_trials=20, workers=4)

    assert trials[0].params == {"x": 0.5, "n": 5, "kind": "a"}
    assert {trial.origin for trial in trials[8:]} == {"model"}


def test_optuna_keeps_quiet_and_its_settings_stay(capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play("tpe", CUBE, num_trials=15)
        play("gp", CUBE, num_trials=12)
        play(NSGA2(population=4), CUBE, num_trials=15)

    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == logging.INFO


def test_cma_es_refuses_several_objectives():
    assert CMAES().objectives == "one"
    with pytest.raises(ConfigError, match="CMA-ES cannot weigh 2 objectives"):
        CMAES().begin(CUBE, 2)


def test_losses_above_the_median_are_replaced_by_what_their_ranks_would_be():
    """The better half lies (0 + 1 + 4 + 9) / 4 off the median, squared, on average."""
    warped = half_ranked([5.0, 1e30, 3.0, 2.0, 7.0, 4.0, 1e30])

    assert warped[2:4] + warped[5:6] + warped[:1] == [3.0, 2.0, 4.0, 5.0]
    normal = NormalDist(5.0, 14**0.5 / 2)
    assert warped[4] == pytest.approx(normal.inv_cdf(4.5 / 7))
    assert warped[4] < warped[1] < warped[6] < 10


def test_equal_losses_stay_equal():
    assert half_ranked([2.0, 2.0, 2.0]) == [2.0, 2.0, 2.0]


def test_a_study_that_lasts_shows_the_best_and_the_latest_of_thousands():
    seen = []

    class Looking(optuna.samplers.RandomSampler):
        def sample_relative(self, study, trial, search_space):
            seen.append([each.values[0] for each in study.get_trials(deepcopy=False) if each.values is not None])
            return {}

    sampler = OptunaSampler(lambda seed: Looking(seed=seed))
    sampler.begin(CUBE)
    history = History(CUBE)
    for number in range(1100):
        history.began(number, {"x0": 0.1, "x1": 0.2, "x2": number / 1100})
        history.observed(number, (float(abs(number - 40)),), None, runs=False)
    sampler.draw(0, history, np.random.default_rng(0))

    assert max(map(len, seen)) <= 1000
    assert 0.0 in seen[-1] and 1059.0 in seen[-1]
