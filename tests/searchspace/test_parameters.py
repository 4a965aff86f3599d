"""One parameter: its scale, its steps, its draws."""

import json
import math
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searchspace.strategies import parameters

from maggy.errors import SearchspaceError
from maggy.searchspace import (
    Categorical,
    Choice,
    Constant,
    Discrete,
    Double,
    FuncParam,
    Grid,
    Integer,
    Normal,
    NormalRand,
    NormalRandInt,
    Rand,
    RandInt,
    Space,
    TransitionChoice,
)


@given(parameter=parameters(), seed=st.integers(0, 99), u=st.floats(0, 1))
def test_whatever_is_drawn_or_decoded_lies_in_the_parameter_and_has_a_place_in_the_unit_interval(parameter, seed, u):
    for value in (parameter.generate(seed), parameter.from_unit(u)):
        assert value in parameter
        assert 0 <= parameter.to_unit(value) <= 1
        assert json.loads(json.dumps(value)) == value


@given(parameter=parameters(), seed=st.integers(0, 99))
def test_a_value_comes_back_from_the_unit_interval(parameter, seed):
    value = parameter.generate(seed)
    again = parameter.from_unit(parameter.to_unit(value))
    assert type(again) is type(value)
    if isinstance(value, float) and not isinstance(parameter, Discrete | Categorical):
        width = parameter.sigma if isinstance(parameter, Normal) else parameter.high - parameter.low
        assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-9 * width)
    else:
        assert again == value


@given(parameter=parameters())
def test_the_unit_interval_keeps_the_order(parameter):
    if isinstance(parameter, Categorical | Discrete):
        return
    drawn = sorted(parameter.generate_many(5, seed=0))
    assert [parameter.to_unit(value) for value in drawn] == sorted(map(parameter.to_unit, drawn))


@given(parameter=parameters())
def test_a_parameter_equals_its_copies_and_nothing_that_says_something_else(parameter):
    assert pickle.loads(pickle.dumps(parameter)) == parameter
    assert hash(pickle.loads(pickle.dumps(parameter))) == hash(parameter)
    assert parameter != parameter.when(other=1)


def test_of_k_values_each_owns_one_kth_of_the_unit_interval():
    for parameter in (Integer(3, 6), Discrete([3, 4, 5, 6]), Double(3, 6.4, q=1), Categorical([3, 4, 5, 6])):
        assert [parameter.to_unit(value) for value in parameter.grid] == [1 / 8, 3 / 8, 5 / 8, 7 / 8]
        assert [parameter.from_unit(u) for u in (0, 0.24, 0.26, 0.49, 0.51, 0.76, 1)] == [3, 3, 4, 4, 5, 6, 6]


def test_a_log_scale_is_linear_in_the_unit_interval():
    rate = Double(1e-5, 1e-1, log=True)
    assert rate.to_unit(1e-3) == pytest.approx(0.5)
    assert rate.from_unit(0.25) == pytest.approx(1e-4)
    assert rate.from_unit(0) == 1e-5
    assert rate.from_unit(1) == 1e-1
    drawn = rate.generate_many(2000, seed=0)
    assert 900 < sum(value < 1e-3 for value in drawn) < 1100  # four standard deviations are 90


def test_each_order_of_magnitude_of_a_whole_number_is_as_likely_as_another():
    units = Integer(1, 1000, log=True)
    drawn = units.generate_many(3000, seed=0)
    assert {1, 2, 3} <= set(drawn)
    # The cells go from 0.5 to 1000.5, so that 1 is no rarer than a value in the middle.
    share = math.log(10.5 / 0.5) / math.log(1000.5 / 0.5)
    assert sum(value <= 10 for value in drawn) / 3000 == pytest.approx(share, abs=0.04)


def test_steps_are_numbers_as_one_would_write_them():
    assert list(Double(0, 1, q=0.1).grid) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert list(Double(2, 2.01, q=0.01).grid) == [2, 2.01]
    assert Double(0, 1, q=0.1).grid[2:4] == [0.2, 0.3]
    assert list(Integer(1, 10, q=4).grid) == [1, 5, 9]
    assert set(Rand(0, 1, q=0.25).generate_many(200, seed=0)) == {0, 0.25, 0.5, 0.75, 1}
    assert set(NormalRandInt(10, 2, q=3).generate_many(200, seed=0)) >= {7, 10, 13}
    assert NormalRand(0.1, 1, q=0.1).from_unit(0.6179) == 0.4


def test_what_lies_between_two_steps_is_no_value():
    assert 0.3 in Double(0, 1, q=0.1)
    assert 0.1 + 0.2 in Double(0, 1, q=0.1)
    assert 0.35 not in Double(0, 1, q=0.1)
    assert 4 not in Integer(1, 10, q=4)
    assert 10 not in Integer(1, 10, q=4)
    assert 11 not in NormalRandInt(10, 2, q=3)
    assert 7.0 not in NormalRandInt(10, 2, q=3)
    assert math.inf not in Normal(0, 1)
    assert math.nan not in Normal(0, 1)
    assert True not in Normal(0, 1)


def test_a_normal_parameter_is_normally_distributed_and_its_unit_interval_uniform():
    normal = Normal(5, 2)
    drawn = normal.generate_many(2000, seed=0)
    assert np.mean(drawn) == pytest.approx(5, abs=0.2)
    assert np.std(drawn) == pytest.approx(2, abs=0.15)
    assert normal.to_unit(5) == 0.5
    assert normal.to_unit(7) == pytest.approx(0.8413, abs=1e-4)
    assert math.isfinite(normal.from_unit(0))
    assert math.isfinite(normal.from_unit(1))


def test_draws_without_options_are_those_of_the_earlier_versions():
    rng, plain = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(20):
        assert Integer(-3, 2**53).draw(rng) == int(plain.integers(-3, 2**53, endpoint=True))
        assert Double(0.1, 7).draw(rng) == float(plain.uniform(0.1, 7))
        assert Discrete([16, 32, 64]).draw(rng) == [16, 32, 64][int(plain.integers(3))]
        assert Categorical(["a", "b"]).draw(rng) == ["a", "b"][int(plain.integers(2))]


def test_high_can_be_left_out():
    assert list(RandInt(0, 3, include_high=False).grid) == [0, 1, 2]
    assert list(RandInt(0, 10, q=5, include_high=False).grid) == [0, 5]
    assert list(Rand(0, 1, q=0.5, include_high=False).grid) == [0, 0.5]
    assert 1 not in Rand(0, 1, include_high=False)
    assert 0.999999 in Rand(0, 1, include_high=False)


def test_expressions_are_parameters_and_equal_those_that_say_the_same():
    assert Rand(0, 1, log=False) == Double(0, 1)
    assert RandInt(1, 3) == Integer(1, 3)
    assert Choice("a", "b") == Categorical(["a", "b"])
    assert TransitionChoice(1, 2) == Discrete([1, 2])
    assert NormalRand(0, 1) == Normal(0, 1)
    assert NormalRandInt(0, 1) == Normal(0, 1, whole=True)
    assert Grid("a", "b") != Choice("a", "b")
    assert Rand(0, 1) != Rand(0, 2)
    assert Choice(1) != Choice(True)
    assert Rand(0, 1) != 1


def test_a_seed_repeats_what_an_expression_generates():
    for expression in (Rand(0, 1), RandInt(0, 99), Choice(*range(99)), NormalRand(0, 1), NormalRandInt(0, 30)):
        assert expression.generate_many(5, seed=1) == expression.generate_many(5, seed=1)
        assert expression.generate_many(5, seed=1) != expression.generate_many(5, seed=2)
        assert expression.generate(seed=1) == expression.generate_many(5, seed=1)[0]


def test_an_expression_reads_well():
    assert repr(Rand(0, 1, q=0.5).when(a=[1, 2])) == "Rand(0.0, 1.0, q=0.5).when(a=[1, 2])"
    assert repr(Grid("a", 1)) == "Grid('a', 1)"
    assert repr(Discrete([16, 32]).prior(32, "high")) == "Discrete([16, 32]).prior(32, 'high')"
    assert Rand(1, 2, log=True).jsondict == {"_expr_": "DOUBLE", "values": [1.0, 2.0], "log": True}


def test_most_draws_lie_near_the_prior_and_a_third_anywhere():
    def share(parameter, low, high, n=3000):
        return sum(low <= value <= high for value in parameter.generate_many(n, seed=0)) / n

    rate = Rand(1e-5, 1e-1, log=True)
    assert share(rate, 1e-4, 1e-2) == pytest.approx(0.5, abs=0.04)
    # High confidence: a standard deviation of 1/8; 95 % of two thirds within 1/4, and half of the other third.
    assert share(rate.prior(1e-3, "high"), 1e-4, 1e-2) == pytest.approx(2 / 3 * 0.9545 + 1 / 3 * 0.5, abs=0.04)
    shares = [share(rate.prior(1e-3, confidence), 1e-4, 1e-2) for confidence in ("low", "medium", "high")]
    assert shares == sorted(shares)
    assert share(rate.prior(1e-5, "high"), 1e-5, 1e-4) > 0.6  # also at the end of the range


def test_a_likely_value_without_an_order_is_drawn_more_often_than_any_other():
    drawn = Counter(Choice(None, "a", "b", "c").prior("b").generate_many(7000, seed=0))
    # a third uniform; of the rest 4 parts of 7 to "b" and one to each other
    assert drawn["b"] / 7000 == pytest.approx(1 / 3 / 4 + 2 / 3 * 4 / 7, abs=0.03)
    for value in (None, "a", "c"):
        assert drawn[value] / 7000 == pytest.approx(1 / 3 / 4 + 2 / 3 / 7, abs=0.03)
    batch = Counter(TransitionChoice(16, 32, 64, 128).prior(16, "high").generate_many(4000, seed=0))
    assert batch[16] > batch[32] > batch[64]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rand(0, 1, log=True), "a log scale needs a lower bound above 0, got 0"),
        (lambda: RandInt(0, 9, log=True), "a log scale needs a lower bound above 0"),
        (lambda: Rand(1, 2, log="yes"), "log has to be True or False"),
        (lambda: Rand(0, 1, q=0), "step q=0.0 must be above 0"),
        (lambda: Rand(0, 1, q=2), "step q=2.0 is larger than the range"),
        (lambda: Rand(0, 1e9, q=1e-9), "step q=1e-09 is too small"),
        (lambda: RandInt(0, 9, q=0.5), "the step of an INTEGER must be whole numbers, got 0.5"),
        (lambda: Rand(0, math.inf), "inf is not a finite number"),
        (lambda: Rand(math.nan, 1), "nan is not a finite number"),
        (lambda: NormalRand(0, 0), "sigma must be above 0"),
        (lambda: NormalRand(0, 1e308), "sigma must be above 0 and its ninefold"),
        (lambda: NormalRand("0", 1), "mu must be a number, got '0'"),
        (lambda: NormalRand(0, 1, q=-1), "step q=-1 must be above 0"),
        (lambda: NormalRand(0, 1, q=1e-18), "step q=1e-18 is too small"),
        (lambda: NormalRandInt(0.5, 1), "a whole number needs a whole mu and q"),
        (lambda: NormalRandInt(0, 1e300, q=10**15), "too small|beyond"),
        (lambda: NormalRandInt(2**53, 1), "beyond 2..53"),
        (lambda: Grid(), "list of values is empty"),
        (lambda: Choice(), "list of values is empty"),
        (lambda: Choice(1, 1), "the value 1 occurs twice"),
        (lambda: Choice({"a": Rand(0, 1)}), "write a union"),
        (lambda: Grid(Rand(0, 1), 2), "write a union"),
        (lambda: Choice(FuncParam(abs, 1)), "of type FuncParam"),
        (lambda: Constant(math.nan), "not a finite number"),
        (lambda: Constant({1: 2}), "1 cannot be a key"),
        (lambda: Rand(0, 1).prior(2), "the prior 2 lies outside of Rand"),
        (lambda: Rand(0, 1).prior(0.5, "certain"), "'low', 'medium' or 'high', got 'certain'"),
        (lambda: Rand(0, 1).when(), "when.. needs a condition"),
        (lambda: Rand(0, 1).when(a=1).when(a=2), "there is a condition on .'a'. already"),
        (lambda: Choice("a").to_unit("b"), "'b' is none of"),
        (lambda: Space(a=Choice("a")).sample(0), "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(SearchspaceError, match=message):
        make()


def test_a_constant_is_always_itself():
    constant = Constant({"a": (1, 2)})
    assert constant.generate() == {"a": [1, 2]}
    assert list(constant.grid) == [constant.from_unit(constant.to_unit({"a": [1, 2]}))]
    assert {"a": [1, 2]} in constant
    assert {"a": [1]} not in constant
