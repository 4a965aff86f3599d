"""Every rule here passes the suite that users run on theirs."""

import random

import pytest

from maggy.earlystop import (
    AbstractEarlyStop,
    CurvePredictionRule,
    MedianStoppingRule,
    NoStoppingRule,
    PatienceRule,
    PercentileStoppingRule,
    StoppingRule,
    ThresholdRule,
    Verdict,
    cost_budget,
    n_samples,
    n_updates,
    no_update_period,
    small_improvement,
    time_budget,
)
from maggy.testing import RuleContract, watch
from maggy.testing.rules import some_losses


class TestMedian(RuleContract):
    def make(self):
        return MedianStoppingRule()


class TestPercentile(RuleContract):
    def make(self):
        return PercentileStoppingRule()


class TestCurvePrediction(RuleContract):
    def make(self):
        return CurvePredictionRule()


class TestPatience(RuleContract):
    def make(self):
        return PatienceRule(steps=5)


class TestThreshold(RuleContract):
    def make(self):
        return ThresholdRule(0.6, after_step=5)

    def make_mirrored(self):
        return ThresholdRule(-0.6, after_step=5)


class TestStudyStoppers(RuleContract):
    def make(self):
        enough = n_samples(20) | n_updates(9) | time_budget("5min") | cost_budget(250)
        return enough | no_update_period(200) & small_improvement(0.1, updates=2)


class TestCombined(RuleContract):
    def make(self):
        return (MedianStoppingRule() | PatienceRule(8)) & n_samples(5) | WorseThanTheWorst() | time_budget("1h")


class TestNone(RuleContract):
    def make(self):
        return NoStoppingRule()


class WorseThanTheWorst(AbstractEarlyStop):
    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        sign = -1 if direction == "max" else 1
        worst = max((sign * trial.final_metric for trial in finalized_trials), default=float("inf"))
        if min(sign * metric for metric in to_check.metric_history) > worst and len(to_check.step_history) > 1:
            return to_check.trial_id
        return None


class TestACustomRule(RuleContract):
    def make(self):
        return WorseThanTheWorst()


@pytest.mark.parametrize(
    "suite",
    [TestMedian, TestPercentile, TestCurvePrediction, TestPatience, TestThreshold, TestCombined, TestACustomRule],
)
def test_the_curves_of_the_suite_make_a_rule_stop_some_trials_and_not_others(suite):
    stops = watch(suite().make(), some_losses())
    assert 0 < len(stops) < 27


def test_the_suite_catches_a_rule_that_ignores_the_direction():
    class SmallIsBad(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            return to_check.trial_id if to_check.metric_history[-1] < 0.5 else None

    suite = RuleContract()
    suite.make = SmallIsBad
    with pytest.raises(AssertionError):
        suite.test_minimising_a_metric_is_maximising_its_negative()


def test_the_suite_catches_dice_silence_and_meddling():
    class Dice(StoppingRule):
        def judge(self, curve, finished):
            curve.values.reverse()
            return Verdict(stop=random.random() < 0.5)

    suite = RuleContract()
    suite.make = Dice
    with pytest.raises(AssertionError):
        suite.test_the_same_curves_are_judged_the_same()
    with pytest.raises(AssertionError):
        suite.test_the_global_random_streams_are_left_alone()
    with pytest.raises(AssertionError, match="stopped without a reason"):
        suite.test_every_stop_has_a_reason_of_one_line()
    with pytest.raises(AssertionError):
        suite.test_the_curves_that_it_sees_stay_as_they_are()
