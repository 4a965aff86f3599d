"""The rule on top of the prediction."""

import math

import numpy as np
import pytest

from maggy.earlystop import GO_ON, CurvePredictionRule, resolve
from maggy.errors import ConfigError
from maggy.trial import Curve

EPOCHS = list(range(1, 51))


def falling(end: float, points: int = 50, seed: int = 0) -> Curve:
    """A loss that falls from about 0.8 above its end, with a little noise."""
    stream = np.random.default_rng(seed)
    losses = [end + 0.8 * math.exp(-0.1 * step) + 0.003 * stream.normal() for step in EPOCHS]
    return Curve(EPOCHS[:points], losses[:points])


FINISHED = [falling(0.1 + 0.02 * number, seed=number) for number in range(12)]
BEST = min(curve.values[-1] for curve in FINISHED)


def test_a_trial_that_hardly_becomes_the_best_is_stopped_with_the_probability_in_the_reason():
    verdict = CurvePredictionRule().judge(falling(0.5, points=20, seed=99), FINISHED)
    assert verdict.stop
    assert verdict.reason == (
        f"curve prediction: ends better than the best so far ({BEST:.4g}) with probability "
        f"{verdict.probability:.2g} at step 20, a fresh trial with 0.077"
    )
    assert verdict.probability < 0.2 / 13


def test_a_trial_that_may_become_the_best_goes_on_and_the_probability_is_said_all_the_same():
    verdict = CurvePredictionRule().judge(falling(0.05, points=20, seed=99), FINISHED)
    assert not verdict.stop
    assert verdict.probability > 0.5


def test_the_reason_is_in_the_users_sign():
    rule = CurvePredictionRule()
    rule.prepare("max")
    assert f"the best so far ({-BEST:.4g})" in rule.judge(falling(0.5, points=20), FINISHED).reason


def test_the_ratio_says_how_much_less_likely_than_a_fresh_trial_is_too_little():
    curve = falling(0.14, points=15, seed=99)
    probability = CurvePredictionRule().judge(curve, FINISHED).probability
    ratio = probability * 13  # a fresh trial is the best of 13 with a probability of 1/13
    assert not CurvePredictionRule(ratio=0.99 * ratio).judge(curve, FINISHED).stop
    assert CurvePredictionRule(ratio=1.01 * ratio).judge(curve, FINISHED).stop


def test_nobody_is_judged_before_there_is_something_to_judge_by():
    bad = falling(0.9, points=20)
    assert CurvePredictionRule().judge(bad, []) is GO_ON
    assert CurvePredictionRule().judge(bad, FINISHED[:2]) is GO_ON
    stopped = [falling(0.1, points=10, seed=number) for number in range(12)]
    assert CurvePredictionRule(horizon=50).judge(bad, FINISHED[:2] + stopped) is GO_ON  # two have come to step 50
    assert CurvePredictionRule(least=21).judge(bad, FINISHED) is GO_ON
    assert CurvePredictionRule(least=20).judge(bad, FINISHED).stop


def test_a_trial_that_has_come_to_the_horizon_is_left_alone():
    assert CurvePredictionRule().judge(falling(0.9), FINISHED) is GO_ON
    assert CurvePredictionRule(horizon=30).judge(falling(0.9, points=30), FINISHED) is GO_ON
    assert CurvePredictionRule(horizon=30).judge(falling(0.9, points=29), FINISHED).stop


def test_a_prediction_is_made_every_so_many_steps_also_where_reports_leave_steps_out():
    def predicted(every: int | None, steps: list[int]) -> list[int]:
        rule = CurvePredictionRule(every=every)
        whole = falling(0.14)
        curves = [Curve(steps[:n], [whole.values[step - 1] for step in steps[:n]]) for n in range(1, len(steps) + 1)]
        return [c.steps[-1] for c in curves if rule.judge(c, FINISHED).probability is not None]

    assert predicted(None, EPOCHS) == list(range(4, 50))  # a fiftieth of 50
    assert predicted(10, EPOCHS) == [10, 20, 30, 40]
    assert predicted(10, list(range(1, 50, 2))) == [11, 21, 31, 41]
    assert predicted(3, list(range(5, 50, 5))) == [20, 25, 30, 35, 40, 45]


def test_a_longer_trial_that_finishes_moves_the_horizon():
    rule, finished = CurvePredictionRule(), list(FINISHED)
    assert rule.judge(falling(0.9, points=49), finished).stop
    steps = list(range(1, 101))
    finished += [Curve(steps, [0.1 + 0.8 * math.exp(-0.05 * step) for step in steps])]
    assert rule.judge(falling(0.9, points=49), finished) is GO_ON  # only one has come to step 100
    finished += [Curve(steps, [0.2 + 0.8 * math.exp(-0.05 * step) for step in steps])] * 2
    assert rule.judge(falling(0.9, points=50), finished).stop  # step 50 is no longer the end


def test_a_trial_that_ran_on_is_one_trial_and_its_newest_end_counts():
    rung = [Curve(EPOCHS[:25], falling(0.1 + 0.02 * number, points=25, seed=number).values) for number in range(12)]
    ran_on = [Curve(curve.steps, curve.values, since=25) for curve in FINISHED]
    curve = falling(0.5, points=20, seed=99)
    once = CurvePredictionRule().judge(curve, FINISHED)
    assert CurvePredictionRule().judge(curve, [*rung, *ran_on]) == once


def test_what_is_no_number_is_never_the_best():
    broken = [Curve(EPOCHS, [*FINISHED[0].values[:-1], bad]) for bad in (math.nan, -math.inf)]
    assert f"({BEST:.4g})" in CurvePredictionRule().judge(falling(0.5, points=20), [*FINISHED, *broken]).reason


def test_a_rule_used_in_a_second_experiment_forgets_the_first():
    rule = CurvePredictionRule()
    assert rule.judge(falling(0.5, points=20), FINISHED).stop
    assert rule.judge(falling(0.5, points=20), FINISHED[:1]) is GO_ON


def test_asking_in_between_changes_no_answer():
    grown, rule, curve = [], CurvePredictionRule(), falling(0.14, points=15, seed=99)
    for other in FINISHED:
        grown.append(other)
        rule.judge(curve, grown)
    assert rule.judge(curve, grown) == CurvePredictionRule().judge(curve, FINISHED)


def test_the_rule_has_two_names():
    assert resolve("curve") == resolve("CurvePrediction") == CurvePredictionRule()


@pytest.mark.parametrize(
    "bad", [{"ratio": 0}, {"least": 1}, {"every": 0}, {"horizon": 0.5}, {"horizon": True}, {"ratio": math.inf}]
)
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match=f"CurvePredictionRule: {next(iter(bad))} has to be"):
        CurvePredictionRule(**bad)
