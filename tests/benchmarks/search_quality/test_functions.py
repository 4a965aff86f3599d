from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.search_quality.functions import FUNCTIONS
from benchmarks.search_quality.problems import problem
from benchmarks.search_quality.space import params_at

functions = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@functions
def test_the_best_value_is_where_it_is_said_to_be(function):
    curve = function.curve(function.best_at)
    assert len(curve) == function.steps
    assert curve[-1] == pytest.approx(function.best, abs=1e-9)


@functions
@given(data=st.data())
def test_nothing_is_better_than_the_best(function, data):
    units = data.draw(st.lists(st.floats(0, 1), min_size=len(function.space), max_size=len(function.space)))
    assert min(function.curve(params_at(function.space, units))) >= function.best - 1e-9


def test_branin_is_worth_what_the_textbook_says():
    # (2.275 - 5.1/4 + 5 - 6)^2 is 0 at (pi, 2.275), and 10 (1 - 1/(8 pi)) cos(pi) + 10 = 10/(8 pi)
    assert FUNCTIONS["branin"].curve({"x1": -3.141592653589793, "x2": 12.275})[-1] == pytest.approx(0.397887, abs=1e-6)


def test_values_are_taken_by_name_whatever_the_order_they_come_in():
    assert FUNCTIONS["branin"].curve({"x2": 1.0, "x1": 2.0}) == FUNCTIONS["branin"].curve({"x1": 2.0, "x2": 1.0})


def test_a_hyperparameter_of_another_optimizer_is_not_drawn():
    space = FUNCTIONS["pipeline"].space
    sgd = params_at(space, [0.0] * 7)
    adam = params_at(space, [0.5] * 7)
    assert (sgd["optimizer"], "momentum" in sgd, "epsilon" in sgd) == ("sgd", True, False)
    assert (adam["optimizer"], "momentum" in adam, "epsilon" in adam) == ("adam", False, True)


def test_late_bloomers_are_behind_after_three_steps_and_ahead_at_the_end():
    curve = FUNCTIONS["late_bloomer"].curve
    best = curve(FUNCTIONS["late_bloomer"].best_at)
    fast = curve({"lr": 0.5, "dropout": 0.0, "width": 128})
    assert best[2] > fast[2]
    assert best[-1] < fast[-1]


def test_regret_is_zero_at_the_best_and_one_for_a_typical_draw():
    branin = problem("branin")
    assert branin.regret(branin.best) == 0
    assert branin.regret(branin.at_random) == 1
    assert branin.regret(branin.best + 0.25 * (branin.at_random - branin.best)) == pytest.approx(0.25)


def test_an_accuracy_becomes_a_loss():
    digits = problem("digits_mlp")
    assert digits.best < digits.at_random < 0
