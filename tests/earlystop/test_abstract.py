"""The developer API of the seeds, in both historical shapes, as the driver asks it."""

import pytest

from maggy.earlystop import (
    GO_ON,
    AbstractEarlyStop,
    EarlyStopAdapter,
    MedianStoppingRule,
    NoStoppingRule,
    resolve,
)
from maggy.errors import ConfigError, UnknownNameError
from maggy.trial import Curve, Trial, TrialState


def running(trial_id: int = 0, *values: float) -> Trial:
    curve = Curve(list(range(len(values))), list(values))
    return Trial({}, trial_id=trial_id, state=TrialState.RUNNING, curve=curve)


class OneTrial(AbstractEarlyStop):
    """From version 0.5: a trial in, its id out."""

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        return to_check.trial_id if to_check.metric_history[-1] < 0.5 else None


class ADictOfTrials(AbstractEarlyStop):
    """Up to version 0.4.2: a dict of trials in, a list of ids out."""

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        if len(finalized_trials) < 1:
            return []
        return [trial_id for trial_id, trial in to_check.items() if trial.metric_history[-1] < 0.5]


class AsTheSeedWritesIt(AbstractEarlyStop):
    def earlystop_check(to_check, finalized_trials, direction):  # noqa: N805  no self in the seed
        return to_check.trial_id if to_check.metric_history[-1] < 0.5 else None


class WithSelf(AbstractEarlyStop):
    bound = 0.5

    def earlystop_check(self, to_check, finalized_trials, direction):
        return to_check.trial_id if to_check.metric_history[-1] < self.bound else None


@pytest.mark.parametrize("rule", [OneTrial, ADictOfTrials, AsTheSeedWritesIt, WithSelf])
def test_every_historical_shape_of_a_rule_works_also_for_trial_zero(rule):
    adapter = resolve(rule())
    finished = [running(9, 0.7)]
    for trial_id in (0, 1, 12):
        assert adapter.check(running(trial_id, 0.9), finished, "max") is GO_ON
        verdict = adapter.check(running(trial_id, 0.9, 0.1), finished, "max")
        assert verdict.stop
        assert verdict.reason == f"stopped by {rule.__name__}"


def test_the_older_form_is_recognised_once_and_remembered():
    asked = []

    class Notes(ADictOfTrials):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            asked.append(type(to_check))
            return ADictOfTrials.earlystop_check(to_check, finalized_trials, direction)

    adapter = resolve(Notes())
    adapter.check(running(0, 0.9), [], "max")  # ends before it looks: either form would do
    adapter.check(running(0, 0.9), [running(9, 0.7)], "max")  # not a dict: asked again with one
    adapter.check(running(0, 0.9), [running(9, 0.7)], "max")
    assert asked == [Trial, Trial, dict, dict]


def test_a_rule_is_told_the_direction_and_the_finished_trials_as_they_are():
    told = []

    class Notes(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            told.append((to_check, finalized_trials, direction))

    trial, finished = running(0, 0.9), [running(9, 0.7)]
    assert resolve(Notes).check(trial, finished, "max") is GO_ON
    assert told == [(trial, finished, "max")]


@pytest.mark.parametrize(
    ("answer", "stop"),
    [(None, False), (False, False), ([], False), (True, True), (0, True), ([0], True), ([3], False), ((0, 3), True)],
)
def test_what_an_answer_about_trial_zero_means(answer, stop):
    class Answers(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            return answer

    assert resolve(Answers()).check(running(0, 0.9), [], "min").stop is stop


@pytest.mark.parametrize("answer", [1, "stop", 0.5])
def test_an_answer_that_means_nothing_says_what_was_expected(answer):
    class Answers(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            return answer

    with pytest.raises(ConfigError, match=r"must return the id of the trial it was asked about \(0\) or None, got"):
        resolve(Answers()).check(running(0, 0.9), [], "min")


def test_a_mistake_in_a_rule_is_raised_as_it_is_and_not_taken_for_the_older_form():
    class Typo(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            return to_check.trial_id if to_check.metric_histroy[-1] < 0.5 else None

    with pytest.raises(AttributeError, match="'Trial' object has no attribute 'metric_histroy'"):
        resolve(Typo()).check(running(0, 0.9), [], "min")

    class FailsOnlyOnATrial(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            return None + 1 if isinstance(to_check, Trial) else None

    with pytest.raises(TypeError, match="unsupported operand"):
        resolve(FailsOnlyOnATrial()).check(running(0, 0.9), [], "min")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("median", MedianStoppingRule),
        ("Median", MedianStoppingRule),
        ("none", NoStoppingRule),
        (None, NoStoppingRule),
        (MedianStoppingRule, MedianStoppingRule),
        (NoStoppingRule(), NoStoppingRule),
        (OneTrial, EarlyStopAdapter),
        (OneTrial(), EarlyStopAdapter),
    ],
)
def test_a_policy_is_found_by_name_class_or_object(given, kind):
    assert type(resolve(given)) is kind


def test_unknown_policies_list_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"unknown early-stopping policy 'medain'\. Did you mean 'median'"):
        resolve("medain")
    with pytest.raises(
        ConfigError, match=r"es_policy must be one of 'median', 'percentile', .*, a stopping rule or stopper, several"
    ):
        resolve(5)


def test_without_a_rule_the_driver_may_forget_every_point():
    assert not NoStoppingRule.needs_curves
    assert MedianStoppingRule.needs_curves
    assert EarlyStopAdapter.needs_curves
    assert NoStoppingRule().judge(Curve([0], [1e9]), [Curve([0], [0.0])]) is GO_ON
