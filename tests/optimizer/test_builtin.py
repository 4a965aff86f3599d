import numpy as np
import pytest

from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer import (
    AbstractOptimizer,
    Draws,
    GridSearch,
    History,
    Optimizer,
    OptimizerAdapter,
    RandomSearch,
    SingleRun,
    resolve,
)
from maggy.searchspace import Choice, Grid, Searchspace, Space
from maggy.testing import play


def rng(n: int) -> np.random.Generator:
    return np.random.default_rng([42, n])


def test_draw_number_n_of_a_random_search_is_the_same_whatever_was_drawn_before():
    space = Searchspace(lr=("DOUBLE", [0, 1]), k=("INTEGER", [1, 1000]))
    sampler, history = RandomSearch(), History(space)
    assert sampler.begin(space) is None
    in_order = [sampler.draw(n, history, rng(n)) for n in range(100)]
    backwards = [sampler.draw(n, history, rng(n)) for n in reversed(range(100))]
    assert in_order == backwards[::-1]
    assert len({params["lr"] for params in in_order}) == 100


def test_there_are_as_many_draws_as_the_user_asked_for():
    draws = Draws(RandomSearch(), Searchspace(lr=("DOUBLE", [0, 1])), seed=0, most=3)
    assert len({draws.fresh().params["lr"] for _ in range(3)}) == 3
    assert draws.fresh() is None


def test_a_random_search_is_the_same_on_one_worker_and_on_eight():
    space = Searchspace(lr=("DOUBLE", [0, 1]))
    one, eight = (play(RandomSearch(), space, seed=3, workers=workers) for workers in (1, 8))
    assert [trial.params for trial in one] == [trial.params for trial in eight]


def test_a_random_search_needs_no_continuous_parameter_and_may_repeat_itself():
    trials = play(RandomSearch(), Searchspace(act=("CATEGORICAL", ["relu", "tanh"])), num_trials=20)
    assert len(trials) == 20
    assert {trial.params["act"] for trial in trials} == {"relu", "tanh"}


def test_the_last_parameter_of_a_grid_changes_fastest():
    draws = Draws(
        GridSearch(), Searchspace(k=("INTEGER", [2, 4]), act=("CATEGORICAL", ["relu", "tanh"])), seed=0, most=1
    )
    assert draws.most == 6
    assert [draws.fresh().params for _ in range(6)] == [
        {"k": 2, "act": "relu"},
        {"k": 2, "act": "tanh"},
        {"k": 3, "act": "relu"},
        {"k": 3, "act": "tanh"},
        {"k": 4, "act": "relu"},
        {"k": 4, "act": "tanh"},
    ]
    assert draws.fresh() is None


def test_a_grid_too_large_to_be_built_is_searched_anyway():
    space = Searchspace(**{f"p{digit}": ("INTEGER", [0, 9]) for digit in range(30)})
    sampler, history = GridSearch(), History(space)
    assert sampler.begin(space) == 10**30
    params = sampler.draw(123456789, history, rng(0))
    assert "".join(str(value) for value in params.values()) == "0" * 21 + "123456789"
    assert set(sampler.draw(10**30 - 1, history, rng(0)).values()) == {9}
    assert sampler.draw(10**30, history, rng(0)) is None


def test_a_grid_has_each_configuration_once_under_conditions_and_in_unions_and_none_that_is_forbidden():
    space = Searchspace(
        opt=Choice("sgd", "adam"), momentum=Choice(0.1, 0.9).when(opt="sgd"), net={"width": Grid(1, 2), "act": "relu"}
    )
    space.forbid(opt="adam", **{"net.width": 2})
    assert [trial.params for trial in play(GridSearch(), space)] == [
        {"opt": "sgd", "momentum": 0.1, "net": {"width": 1, "act": "relu"}},
        {"opt": "sgd", "momentum": 0.1, "net": {"width": 2, "act": "relu"}},
        {"opt": "sgd", "momentum": 0.9, "net": {"width": 1, "act": "relu"}},
        {"opt": "sgd", "momentum": 0.9, "net": {"width": 2, "act": "relu"}},
        {"opt": "adam", "net": {"width": 1, "act": "relu"}},
    ]
    union = Space(a=Grid(1, 2)) + Space(b=Choice(3, 4))
    assert [trial.params for trial in play(GridSearch(), union)] == [{"a": 1}, {"a": 2}, {"b": 3}, {"b": 4}]


def test_a_grid_over_continuous_parameters_names_them_and_shows_how_to_discretise_them():
    with pytest.raises(ConfigError) as caught:
        GridSearch().begin(
            Searchspace(k=("INTEGER", [1, 2]), dropout=("DOUBLE", [0.01, 0.99]), lr=("DOUBLE", [1e-5, 0.1]))
        )
    assert str(caught.value) == (
        "grid search cannot try every value of a continuous hyperparameter; give it a list of values, e.g. "
        "dropout=('DISCRETE', [0.01, 0.255, 0.5, 0.745, 0.99]), lr=('DISCRETE', [1e-05, 0.02501, 0.05001, 0.075, 0.1])"
    )


def test_a_single_run_runs_as_often_as_asked_without_parameters():
    trials = play(SingleRun(), Searchspace(), num_trials=4)
    assert [trial.params for trial in trials] == [{}, {}, {}, {}]


def test_a_single_run_refuses_parameters_that_nobody_would_choose():
    with pytest.raises(ConfigError, match="nothing would choose a value for k, lr"):
        SingleRun().begin(Searchspace(k=("INTEGER", [1, 2]), lr=("DOUBLE", [0, 1])))


@pytest.mark.parametrize("sampler", [RandomSearch(), GridSearch()])
def test_a_search_without_parameters_is_refused_and_names_the_single_run(sampler):
    with pytest.raises(ConfigError, match="the search space is empty; or use optimizer='none'"):
        sampler.begin(Searchspace())


class Mine(AbstractOptimizer):
    def initialize(self): ...
    def get_suggestion(self, trial=None): ...
    def finalize_experiment(self, trials): ...


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("randomsearch", RandomSearch),
        ("RandomSearch", RandomSearch),
        ("random", RandomSearch),
        ("GRIDSEARCH", GridSearch),
        ("grid", GridSearch),
        ("none", SingleRun),
        ("None", SingleRun),
        (None, SingleRun),
        (GridSearch, GridSearch),
        (GridSearch(), GridSearch),
        (Mine, OptimizerAdapter),
        (Mine(), OptimizerAdapter),
    ],
)
def test_an_optimizer_is_found_by_name_class_or_object(given, kind):
    assert type(resolve(given)) is kind


def test_an_optimizer_object_is_used_itself():
    optimizer, mine = RandomSearch(), Mine()
    assert resolve(optimizer) is optimizer
    assert resolve(mine).custom is mine


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        UnknownNameError, match=r"unknown optimizer 'RandomSerch'\. Did you mean 'randomsearch'"
    ) as caught:
        resolve("RandomSerch")
    assert {"randomsearch", "gridsearch", "none", "asha", "hyperband"} <= set(caught.value.known)


@pytest.mark.parametrize("given", [5, object, lambda: None, ["random"]])
def test_what_is_no_optimizer_is_told_what_is(given):
    with pytest.raises(ConfigError, match=r"optimizer must be one of 'randomsearch', .* or an AbstractOptimizer, got"):
        resolve(given)


def test_the_contract_cannot_be_made_without_its_method():
    with pytest.raises(TypeError, match="abstract"):
        Optimizer()
