"""The threshold rule reads its value in the sign of the metric."""

import math

import pytest

from maggy.earlystop import GO_ON, ThresholdRule
from maggy.errors import ConfigError
from maggy.trial import Curve


def prepared(rule: ThresholdRule, direction: str) -> ThresholdRule:
    rule.prepare(direction)
    return rule


def test_an_accuracy_that_is_to_be_high_has_to_reach_the_value():
    rule = prepared(ThresholdRule(0.6, after_step=2), "max")
    assert rule.judge(Curve([1], [-0.1]), []) is GO_ON  # too early to say
    assert rule.judge(Curve([1, 2], [-0.6, -0.1]), []) is GO_ON  # it has been there
    verdict = rule.judge(Curve([1, 2], [-0.1, -0.59]), [])
    assert verdict.stop
    assert verdict.reason == "threshold rule: its best by step 2, 0.59, is worse than 0.6"


def test_a_loss_that_is_to_be_low_has_to_reach_the_value():
    rule = prepared(ThresholdRule(0.6), "min")
    assert rule.judge(Curve([0], [0.6]), []) is GO_ON
    assert rule.judge(Curve([0], [0.61]), []).reason == "threshold rule: its best by step 0, 0.61, is worse than 0.6"


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_worse_than_any_value_and_never_the_best(direction, bad):
    rule = prepared(ThresholdRule(0.0), direction)
    assert rule.judge(Curve([1], [bad]), []).stop
    assert rule.judge(Curve([1, 2], [-1.0, bad]), []) is GO_ON  # a loss of -1: below 0, or a metric of 1, above it


@pytest.mark.parametrize("bad", [{"worse_than": math.nan}, {"worse_than": "0.5"}, {"worse_than": 0, "after_step": -1}])
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match=r"ThresholdRule: (worse_than|after_step) has to be"):
        ThresholdRule(**bad)
