"""Rules and stoppers combined: what stops a trial, and what ends the study."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maggy.earlystop import (
    AbstractEarlyStop,
    MedianStoppingRule,
    NoStoppingRule,
    PatienceRule,
    StoppingRule,
    Study,
    StudyStopper,
    TrialView,
    Verdict,
    n_samples,
    resolve,
    time_budget,
)
from maggy.trial import Curve, Trial

BAD = Curve([1], [0.9])
FINISHED = [Curve([1], [0.1]), Curve([1], [0.2]), Curve([1], [0.3])]


def of(ended: int, curve: Curve = BAD) -> TrialView:
    return TrialView(curve=curve, finished=FINISHED, study=Study(ended=ended))


def test_median_or_n_samples_stops_trials_by_the_median_and_the_study_by_the_count():
    policy = MedianStoppingRule() | n_samples(100)
    assert policy.verdict(of(3)).stop
    assert not policy.verdict(of(3, Curve([1], [0.1]))).stop
    assert policy.study_verdict(Study(ended=99)) is None
    assert policy.study_verdict(Study(ended=100)) == "100 trials have ended"


def test_median_and_n_samples_stops_trials_by_the_median_from_that_count_on_and_never_the_study():
    policy = MedianStoppingRule() & n_samples(20)
    assert not policy.verdict(of(19)).stop
    assert policy.verdict(of(20)).reason == (
        "median rule: its best by step 1 is worse than the average until then of 3 of the 3 trials that got as far, "
        "and 20 trials have ended"
    )
    assert policy.study_verdict(Study(ended=1000)) is None


def test_a_study_ends_where_its_conditions_say_so_without_any_rule():
    policy = (MedianStoppingRule() | n_samples(10)) & time_budget(60)
    assert policy.study_verdict(Study(ended=10, elapsed_s=59.0)) is None
    assert policy.study_verdict(Study(ended=9, elapsed_s=60.0)) is None
    assert policy.study_verdict(Study(ended=10, elapsed_s=60.0)) == (
        "10 trials have ended, and the time budget of 60 s is spent"
    )


def test_the_next_check_is_that_of_the_part_that_comes_first():
    policy = MedianStoppingRule() | time_budget(60) | time_budget(30)
    assert policy.next_check_s(Study()) == 30
    assert policy.next_check_s(Study(elapsed_s=30.0)) == 60
    assert policy.next_check_s(Study(elapsed_s=60.0)) == inf


def test_a_combination_needs_what_its_parts_need():
    class Own(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            return None

    rules = MedianStoppingRule() & PatienceRule(3)
    assert (rules.needs_curves, rules.needs_trials, rules.watches_study) == (True, False, False)
    stoppers = n_samples(3) | time_budget(9)
    assert (stoppers.needs_curves, stoppers.needs_trials, stoppers.watches_study) == (False, False, True)
    everything = Own() | n_samples(3)
    assert (everything.needs_curves, everything.needs_trials, everything.watches_study) == (True, True, True)


def test_a_rule_of_the_developer_api_stands_on_either_side_and_sees_metrics_in_the_users_sign():
    class BelowHalf(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            assert direction == "max"
            assert [trial.final_metric for trial in finalized_trials] == [0.8]
            return to_check.trial_id if to_check.metric_history[-1] < 0.5 else None

    trial = Trial({}, trial_id=7, curve=Curve([1], [0.4]))
    view = TrialView(curve=Curve([1], [-0.4]), trial=trial, results=[Trial({}, final_metric=0.8)], study=Study(ended=1))
    for policy in (BelowHalf() & n_samples(1), n_samples(1) & BelowHalf(), BelowHalf() | NoStoppingRule()):
        policy.prepare("max")
        assert "stopped by BelowHalf" in policy.verdict(view).reason
        assert resolve(policy) is policy


def test_the_probability_of_a_part_that_predicts_is_that_of_the_whole_whatever_it_says():
    class Predicts(StoppingRule):
        def judge(self, curve, finished):
            return Verdict(stop=False, probability=0.25)

    for policy in (Predicts() & MedianStoppingRule(), MedianStoppingRule() | Predicts(), Predicts() | n_samples(9)):
        assert policy.verdict(of(3)).probability == 0.25
    assert (MedianStoppingRule() | n_samples(9)).verdict(of(3)).probability is None


def test_a_rule_that_raises_raises_through_a_combination():
    class Broken(StoppingRule):
        def judge(self, curve, finished):
            raise ZeroDivisionError

    for policy in (n_samples(1) | Broken(), NoStoppingRule() & Broken()):
        with pytest.raises(ZeroDivisionError):
            policy.verdict(of(3))


def test_an_expression_prints_as_it_is_written():
    policy = MedianStoppingRule() & n_samples(20) | PatienceRule(3)
    assert repr(policy) == "((MedianStoppingRule() & n_samples(n=20)) | PatienceRule(steps=3, min_delta=0.0))"


def test_something_else_cannot_be_combined():
    for other in (5, "median", None, MedianStoppingRule):
        with pytest.raises(TypeError, match="unsupported operand"):
            MedianStoppingRule() & other
        with pytest.raises(TypeError, match="unsupported operand"):
            MedianStoppingRule() | other


class Trialwise(StoppingRule):
    """Says what it is told."""

    def __init__(self, says: bool) -> None:
        self.says = says

    def judge(self, curve, finished):
        return Verdict(stop=self.says, reason="trial" if self.says else "")


class Studywise(StudyStopper):
    """Likewise."""

    def __init__(self, says: bool) -> None:
        self.says = says

    def study_verdict(self, study):
        return "study" if self.says else None


leaves = st.builds(lambda kind, says: (kind, says), st.sampled_from("ts"), st.booleans())
expressions = st.recursive(leaves, lambda parts: st.tuples(st.sampled_from("&|"), parts, parts), max_leaves=8)


def policy_of(expression):
    sign, *parts = expression
    if sign in "ts":
        return (Trialwise if sign == "t" else Studywise)(parts[0])
    left, right = map(policy_of, parts)
    return left & right if sign == "&" else left | right


def truth(expression, *, trial: bool) -> bool:
    """The value of an expression; without a trial, rules about trials are false."""
    sign, *parts = expression
    if sign in "ts":
        return parts[0] and (trial or sign == "s")
    left, right = (truth(part, trial=trial) for part in parts)
    return (left and right) if sign == "&" else (left or right)


@given(expressions)
def test_an_expression_means_what_its_signs_mean(expression):
    policy = policy_of(expression)
    verdict = policy.verdict(of(3))
    assert verdict.stop is truth(expression, trial=True)
    assert bool(verdict.reason) is verdict.stop
    assert (policy.study_verdict(Study()) is not None) is truth(expression, trial=False)
