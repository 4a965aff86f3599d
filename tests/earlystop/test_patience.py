"""The patience rule, on curves that can be followed by hand."""

import math

import pytest

from maggy.earlystop import GO_ON, PatienceRule
from maggy.errors import ConfigError
from maggy.trial import Curve


def curve(*losses: float, every: int = 1) -> Curve:
    return Curve([every * number for number in range(1, len(losses) + 1)], list(losses))


def test_a_trial_is_stopped_when_the_last_steps_were_no_better_than_what_came_before():
    rule = PatienceRule(steps=3)
    assert rule.judge(curve(0.9, 0.5, 0.6, 0.7), []) is GO_ON  # the best is two steps old
    verdict = rule.judge(curve(0.9, 0.5, 0.6, 0.7, 0.5), [])  # three steps; as good is no improvement
    assert verdict.stop
    assert verdict.reason == "patience rule: from step 2 to step 5 it has not improved on its best"
    assert rule.judge(curve(0.9, 0.5, 0.6, 0.7, 0.49), []) is GO_ON


def test_steps_are_counted_and_not_points():
    rule = PatienceRule(steps=30)
    assert rule.judge(curve(0.5, 0.6, 0.6, every=10), []) is GO_ON
    assert rule.judge(curve(0.5, 0.6, 0.6, 0.6, every=10), []).stop


def test_an_improvement_has_to_be_larger_than_min_delta():
    rule = PatienceRule(steps=2, min_delta=0.25)
    assert rule.judge(curve(1.0, 0.9, 0.75), []).reason.endswith("improved on its best by more than 0.25")
    assert rule.judge(curve(1.0, 0.9, 0.74), []) is GO_ON


def test_what_is_no_number_is_no_improvement_but_a_number_after_it_is():
    rule = PatienceRule(steps=2)
    assert rule.judge(curve(0.5, math.nan, -math.inf), []).stop
    assert rule.judge(curve(math.nan, 0.9, math.nan), []) is GO_ON
    assert rule.judge(curve(math.nan, math.nan, math.nan), []).stop


def test_a_trial_is_not_judged_before_it_could_have_waited():
    assert PatienceRule(steps=5).judge(curve(0.1, 0.9, 0.9, 0.9, 0.9), []) is GO_ON
    assert PatienceRule(steps=5).judge(Curve([100], [0.5]), []) is GO_ON


@pytest.mark.parametrize("bad", [{"steps": 0}, {"steps": 1.5}, {"steps": 3, "min_delta": -0.1}])
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match=r"PatienceRule: (steps|min_delta) has to be"):
        PatienceRule(**bad)
