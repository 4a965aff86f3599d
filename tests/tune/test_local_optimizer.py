from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from maggy.errors import ConfigError, SearchspaceError
from maggy.tune import (
    Choice,
    FuncParam,
    Grid,
    HyperoptLocalOptimizer,
    NonIterativeObjectiveLocalOptimizer,
    NormalRand,
    NormalRandInt,
    OptunaLocalOptimizer,
    Rand,
    RandInt,
    SamplerLocalOptimizer,
    Space,
    TransitionChoice,
    Trial,
    TrialReport,
    noniterative_objective,
    suggest_for_noniterative_objective,
    to_noniterative_objective,
    validate_noniterative_objective,
)
from maggy.tune.local_optimizer import to_local_optimizer

OPTIMIZERS = [HyperoptLocalOptimizer, OptunaLocalOptimizer]
each = pytest.mark.parametrize("optimizer", [*OPTIMIZERS, lambda n: SamplerLocalOptimizer("tpe", n)])


def search(optimizer: NonIterativeObjectiveLocalOptimizer, objective: Any, params: Any) -> TrialReport:
    return optimizer.run(to_noniterative_objective(objective), Trial.of(params))


def everything() -> dict[str, Any]:
    """A template with all that can be searched: nested, conditional, shared and computed."""
    shared = Rand(0, 1)
    return {
        "kind": Choice("a", "b"),
        "only_a": RandInt(1, 64, log=True).when(kind="a"),
        "nested": {"layers": [TransitionChoice(16, 32, 64), NormalRandInt(10, 3)], "shift": NormalRand(5.0, 1.0)},
        "x": shared,
        "also_x": shared,
        "double_x": FuncParam(lambda value, by: value * by, shared, by=2),
        "step": Rand(0, 1, q=0.25),
        "constant": 7,
    }


@each
def test_all_that_can_be_searched_arrives_as_it_was_written(optimizer):
    seen = []

    def objective(**params: Any) -> float:
        seen.append(params)
        return params["x"] + params["nested"]["shift"] + (params["kind"] == "b")

    best = search(optimizer(40), objective, everything())

    space = Space(everything())
    assert len(seen) == 40
    for params in seen:
        assert params["x"] == params["also_x"] == params["double_x"] / 2
        assert ("only_a" in params) is (params["kind"] == "a")
        assert params["nested"]["layers"][0] in (16, 32, 64)
        assert type(params["nested"]["layers"][1]) is int
        assert params["step"] in (0, 0.25, 0.5, 0.75, 1)
        assert params["constant"] == 7
        assert set(params) | {"only_a"} == set(space.keys())
    assert {params["kind"] for params in seen} == {"a", "b"}
    assert best.params.simple_value == min(seen, key=lambda p: p["x"] + p["nested"]["shift"] + (p["kind"] == "b"))
    assert best.metric == best.sort_metric


@each
def test_a_search_finds_what_chance_alone_would_miss(optimizer):
    def distance(x: float, y: int, way: str) -> float:
        return (x - 3) ** 2 + (y - 5) ** 2 + (way != "up")

    space = Space(x=Rand(-20, 20), y=RandInt(-20, 20), way=Choice("up", "down", "left", "right"))
    drawn = [each.branches[0].template.root for each in space.sample(60, seed=1).split()]

    found = search(optimizer(60), distance, space).metric
    assert found < 10
    assert found < min(distance(**params) for params in drawn)


@each
def test_a_search_repeats_and_leaves_the_global_streams_alone(optimizer):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    first, second = (search(optimizer(15), lambda x, n: x * n, {"x": Rand(0, 1), "n": RandInt(1, 9)}) for _ in range(2))

    assert first.params == second.params
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_another_seed_or_study_searches_elsewhere():
    import optuna

    def study() -> optuna.Study:
        return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=4))

    found = [
        search(optimizer, lambda x: x, {"x": Rand(0, 1)}).metric
        for optimizer in (
            HyperoptLocalOptimizer(5),
            HyperoptLocalOptimizer(5, seed=1),
            OptunaLocalOptimizer(5),
            OptunaLocalOptimizer(5, create_study=study),
        )
    ]
    assert len(set(found)) == 4


def test_arguments_of_fmin_are_passed_through():
    from hyperopt import rand

    told = []

    def further(func: Any, trial: Trial) -> dict[str, Any]:
        told.append((func, trial.params["b"]))
        return {"algo": rand.suggest, "max_evals": 3}

    runs = []
    search(HyperoptLocalOptimizer(50, kwargs_func=further), lambda a, b: runs.append(a) or a, {"a": Rand(0, 1), "b": 2})

    assert len(runs) == 3
    assert told[0][1] == 2


def test_a_study_that_maximises_is_refused():
    import optuna

    optimizer = OptunaLocalOptimizer(5, create_study=lambda: optuna.create_study(direction="maximize"))
    with pytest.raises(ConfigError, match="minimises"):
        search(optimizer, lambda x: x, {"x": Rand(0, 1)})


@each
def test_where_larger_is_better_the_largest_is_found(optimizer):
    objective = noniterative_objective(min_better=False)(lambda x: -((x - 1) ** 2))
    report = search(optimizer(40), objective, {"x": Rand(-5, 5)})
    assert -0.1 < report.metric <= 0
    assert report.sort_metric == -report.metric


@each
def test_nan_is_never_the_best_unless_there_is_nothing_else(optimizer):
    assert search(optimizer(20), lambda x: float("nan") if x < 0.5 else x, {"x": Rand(0, 1)}).metric >= 0.5
    assert np.isnan(search(optimizer(3), lambda x: float("nan"), {"x": Rand(0, 1)}).metric)
    assert search(optimizer(4), lambda x: float("inf"), {"x": Rand(0, 1)}).metric == float("inf")


@each
def test_what_is_forbidden_is_not_run(optimizer):
    space = Space(a=Choice(1, 2, 3), b=Choice(1, 2, 3)).forbid(lambda params: params["a"] == params["b"])
    seen = []
    search(optimizer(30), lambda a, b: seen.append((a, b)) or a + b, space)
    assert seen
    assert all(a != b for a, b in seen)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_space_with_nothing_allowed_says_so(optimizer):
    space = Space(a=Rand(0, 1)).forbid(lambda params: True)
    with pytest.raises(SearchspaceError, match="forbidden"):
        search(optimizer(5), lambda a: a, space)


@each
def test_an_error_of_the_objective_goes_through(optimizer):
    def objective(x: float) -> float:
        raise KeyError("no such column")

    with pytest.raises(KeyError, match="no such column"):
        search(optimizer(5), objective, {"x": Rand(0, 1)})


def test_text_names_an_optimizer_and_its_number_of_runs():
    assert repr(to_local_optimizer("hyperopt:7")) == "HyperoptLocalOptimizer(max_iter=7)"
    assert repr(to_local_optimizer("Optuna")) == "OptunaLocalOptimizer(max_iter=30)"
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(ConfigError, match="max_iter"):
            HyperoptLocalOptimizer(wrong)
        with pytest.raises(ConfigError, match="max_iter"):
            OptunaLocalOptimizer(wrong)


def test_a_library_that_is_not_there_is_named_with_its_extra_before_anything_starts(monkeypatch):
    monkeypatch.setattr("maggy.optimizer.sampling.libraries.find_spec", lambda library: None)
    for name, extra in (("hyperopt", "hyperopt"), ("optuna", "search")):
        with pytest.raises(ConfigError, match=rf"LocalOptimizer needs {name}: pip install 'maggy\[{extra}\]'"):
            suggest_for_noniterative_objective(lambda x: x, {"x": Rand(0, 1)}, local_optimizer=name)


@pytest.mark.parametrize("name", ["hyperopt", "optuna", "tpe"])
@pytest.mark.parametrize("engine", ["native", "local"])
def test_each_cell_of_a_space_is_searched_on_its_own(name, engine, tmp_path):
    space = Space(a=Grid(1, 2), b=Rand(0, 3))
    best, other = suggest_for_noniterative_objective(
        lambda a, b: (b - a) ** 2 + a,
        space,
        top_n=0,
        local_optimizer=f"{name}:25",
        execution_engine=engine,
        temp_path=str(tmp_path),
        verbose=0,
    )

    assert best.params.simple_value["a"] == 1 and other.params.simple_value["a"] == 2
    assert best.metric == pytest.approx(1, abs=0.1) and other.metric == pytest.approx(2, abs=0.1)
    assert best.trial.params["b"] == Rand(0, 3)


@pytest.mark.parametrize("name", ["hyperopt", "optuna"])
def test_an_objective_is_tried_with_its_search_before_any_scale(name):
    reports = []
    trial = Trial("a", {"x": Rand(0, 1)})
    validate_noniterative_objective(lambda x: x, trial, reports.append, optimizer=f"{name}:4")
    assert 0 <= reports[0].metric < 1


def test_a_sampler_that_cannot_search_a_candidate_says_so_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def untouched(a):
        raise AssertionError

    with pytest.raises(ConfigError, match="grid search cannot try every value of a continuous hyperparameter"):
        suggest_for_noniterative_objective(untouched, Space(a=Rand(0, 1)), local_optimizer="grid:5")
    assert not (tmp_path / "maggy-runs").exists()
