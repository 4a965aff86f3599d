"""Study-level stoppers in literal times."""

from datetime import timedelta
from math import inf

import pytest

from maggy.earlystop import (
    Study,
    StudyStopper,
    TrialView,
    Update,
    cost_budget,
    n_samples,
    n_updates,
    no_update_period,
    small_improvement,
    time_budget,
)
from maggy.errors import ConfigError
from maggy.trial import Trial


def study(*losses: float, at: float = 0.0) -> Study:
    """A study whose best was improved to these at 10, 20, 30 ... seconds."""
    updates = [Update(10.0 * number, number, loss) for number, loss in enumerate(losses, 1)]
    return Study(ended=len(losses), updates=updates, elapsed_s=at)


def test_n_samples_counts_the_trials_that_have_ended():
    assert n_samples(3).study_verdict(Study(ended=2)) is None
    assert n_samples(3).study_verdict(Study(ended=3)) == "3 trials have ended"


def test_n_updates_counts_the_improvements_of_the_best():
    assert n_updates(2).study_verdict(study(0.9)) is None
    assert n_updates(2).study_verdict(study(0.9, 0.5)) == "the best was improved 2 times"


def test_small_improvement_adds_the_last_improvements_up():
    stopper = small_improvement(0.25, updates=2)
    assert stopper.study_verdict(study(0.9, 0.89)) is None  # one improvement so far: the first result improves nothing
    assert stopper.study_verdict(study(1.0, 0.875, 0.75)) is None  # 0.25 is not less
    assert stopper.study_verdict(study(1.0, 0.5, 0.45, 0.4)) == (
        "the last 2 improvements of the best came to 0.1, less than 0.25"
    )


def test_no_update_period_begins_anew_with_each_improvement():
    stopper = no_update_period("30s")
    assert stopper.study_verdict(study(at=1000.0)) is None  # there is no result yet
    assert stopper.next_check_s(study(at=1000.0)) == inf
    assert stopper.study_verdict(study(0.9, at=39.9)) is None
    assert stopper.next_check_s(study(0.9, at=39.9)) == 40.0
    assert stopper.study_verdict(study(0.9, 0.8, at=40.0)) is None  # improved at 20 s
    assert stopper.next_check_s(study(0.9, 0.8, at=40.0)) == 50.0
    assert stopper.study_verdict(study(0.9, 0.8, at=50.0)) == "the best was not improved for 30 s"
    assert stopper.next_check_s(study(0.9, 0.8, at=50.0)) == inf


def test_time_budget_is_spent_at_its_end_and_asks_to_be_looked_at_then():
    stopper = time_budget(timedelta(minutes=1))
    assert stopper.study_verdict(study(at=59.9)) is None
    assert stopper.next_check_s(study(at=59.9)) == 60.0
    assert stopper.study_verdict(study(at=60.0)) == "the time budget of 60 s is spent"
    assert stopper.next_check_s(study(at=60.0)) == inf


def test_a_clock_that_rounds_cannot_make_a_check_come_too_early_for_ever():
    start = 1763679480.123
    elapsed = (start + 0.1) - start  # what a driver computes that wakes exactly when it was told to
    assert elapsed < 0.1
    assert time_budget(0.1).study_verdict(Study(elapsed_s=elapsed))


def test_cost_budget_adds_the_seconds_that_trials_have_occupied_workers():
    watched = Study(ended=2, worker_s=30.0)
    stopper = cost_budget(60)
    assert stopper.study_verdict(watched) is None
    watched.worker_s = 60.0
    assert stopper.study_verdict(watched) == "the cost budget of 60 is spent: 60"


def test_the_cost_of_a_trial_may_be_anything_and_is_asked_once():
    asked = []

    def price(trial):
        asked.append(trial.trial_id)
        return trial.params["gpus"] * 0.5

    trials = [Trial({"gpus": 4}, trial_id=0)]
    watched, stopper = Study(trials=trials), cost_budget(4.5, price)
    assert stopper.study_verdict(watched) is None
    trials.append(Trial({"gpus": 5}, trial_id=1))
    assert stopper.study_verdict(watched) == "the cost budget of 4.5 is spent: 4.5"
    assert asked == [0, 1]
    assert stopper.study_verdict(Study()) is None  # another experiment begins at nothing


def test_a_stopper_of_your_own_is_one_method():
    class GoodEnough(StudyStopper):
        def study_verdict(self, study):
            return "good enough" if study.updates and study.updates[-1].loss < 0.1 else None

    assert GoodEnough().study_verdict(study(0.05)) == "good enough"
    assert GoodEnough().verdict(TrialView(study=study(0.05))).reason == "good enough"
    assert not GoodEnough().verdict(TrialView(study=study(0.5))).stop


@pytest.mark.parametrize(
    ("period", "expected_s"),
    [
        (90, 90),
        (0.5, 0.5),
        ("30s", 30),
        ("60sec", 60),
        ("5min", 300),
        ("250ms", 0.25),
        ("2d", 172800),
        ("1h 30min", 5400),
        (" 1.5 h ", 5400),
        (timedelta(days=1), 86400),
    ],
)
def test_periods_are_seconds_timedeltas_or_texts(period, expected_s):
    assert time_budget(period).next_check_s(Study()) == pytest.approx(expected_s)


@pytest.mark.parametrize("period", [0, -1, inf, True, None, "", "soon", "5", "1h later", "min", timedelta(0)])
def test_what_is_no_period_is_refused_with_examples(period):
    for stopper in (time_budget, no_update_period):
        with pytest.raises(ConfigError, match=rf"{stopper.__name__}: period has to be .* such as '30s', '5min' or"):
            stopper(period)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: n_samples(0), "n_samples: n"),
        (lambda: n_updates(1.5), "n_updates: n"),
        (lambda: small_improvement(0, 3), "small_improvement: threshold"),
        (lambda: small_improvement(0.1, 0), "small_improvement: updates"),
        (lambda: cost_budget("much"), "cost_budget: limit"),
    ],
)
def test_settings_that_cannot_work_are_refused(make, name):
    with pytest.raises(ConfigError, match=f"{name} has to be a (whole )?number"):
        make()
