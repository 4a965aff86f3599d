"""What all callbacks share."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maggy import Reporter
from maggy.callbacks.report import Report
from maggy.errors import ConfigError, EarlyStopException, MetricKeyError, PreemptedException
from maggy.worker.running import made_known, running


class Trial(Reporter):
    """The reporter of a running trial, whose messages are kept."""

    def __init__(self, number: int = 0) -> None:
        self.sent = []
        super().__init__(self.sent.append, trial=number)

    @property
    def points(self):
        self.flush()
        return [point for message in self.sent for point in zip(message.steps, message.values, strict=True)]


def report(reporter=None, metric="loss"):
    return Report("Callback", reporter, metric, "Measure it.")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=6), st.booleans())
def test_steps_follow_each_other_however_often_training_begins_anew(trainings, afresh):
    """Each training counts from some step on; afresh: with a callback of its own."""
    trial = Trial()
    callback = report(trial)
    for first, length in trainings:
        if afresh:
            callback = report(trial)
        for step in range(first, first + length):
            callback.broadcast({"loss": 1.0}, step)

    steps = [step for step, _ in trial.points]
    assert len(steps) == sum(length for _, length in trainings)
    assert all(before < after for before, after in pairwise(steps))


def test_steps_are_the_librarys_own_as_long_as_these_go_up():
    trial = Trial()
    callback = report(trial)
    for step in (2, 4, 9, 10):
        callback.broadcast({"loss": 1.0}, step)

    assert [step for step, _ in trial.points] == [2, 4, 9, 10]


def test_a_training_goes_on_behind_the_checkpoint_that_was_loaded():
    reporter = Reporter()
    reporter.save_checkpoint({"epoch": 3}, step=3)
    reporter.load_checkpoint()
    callback = report(reporter)

    callback.broadcast({"loss": 1.0}, 0)

    assert reporter.last_step == 4


def test_without_a_reporter_each_trial_gets_its_own_points_and_between_them_they_are_printed(capsys):
    callback = report()
    first, second = Trial(0), Trial(1)
    for trial in (first, second):
        with made_known(trial):
            for step in range(3):
                callback.broadcast({"loss": 0.5}, step)
        callback.broadcast({"loss": 0.25}, 0)

    assert first.points == second.points == [(0, 0.5), (1, 0.5), (2, 0.5)]
    assert capsys.readouterr().out == "step 0: 0.25\n" * 2
    assert running() is None


def test_a_callback_that_has_run_by_hand_travels_as_one_that_has_not():
    callback = report()
    callback.broadcast({"loss": 0.5}, 7)

    arrived, trial = pickle.loads(pickle.dumps(callback)), Trial()
    with made_known(trial):
        arrived.broadcast({"loss": 0.25}, 0)

    assert trial.points == [(0, 0.25)]


def test_two_callbacks_that_report_in_turns_are_an_error():
    trial = Trial()
    of_training, of_validation = report(trial), report(trial, "val_loss")
    measured = {"loss": 0.5, "val_loss": 0.75}
    of_training.broadcast(measured, 0)
    of_validation.broadcast(measured, 0)

    with pytest.raises(ConfigError, match=r"Callback reports 'loss', and something else reports to the same trial bet"):
        of_training.broadcast(measured, 1)


def test_what_is_reported_by_hand_between_two_trainings_is_in_nobodys_way():
    trial = Trial()
    callback = report(trial)
    for metric in (0.5, 0.25):
        callback.broadcast({"loss": metric}, 0)
        trial.broadcast(metric)

    assert trial.points == [(0, 0.5), (1, 0.5), (2, 0.25), (3, 0.25)]


def test_a_stop_is_an_answer_and_the_reporter_knows_that_training_was_cut_short():
    trial = Trial()
    callback = report(trial)
    assert not callback.stops({"loss": 0.5}, 0)
    assert not trial.cut_short

    trial.stop_now()

    assert callback.stops({"loss": 0.25}, 1)
    assert trial.cut_short
    with pytest.raises(EarlyStopException):
        callback.broadcast({"loss": 0.25}, 2)


def test_a_worker_that_is_taken_away_leaves_at_once():
    trial = Trial()
    trial.preempt()

    with pytest.raises(PreemptedException):
        report(trial).stops({"loss": 0.25}, 1)
    assert trial.noticed and not trial.cut_short


def test_the_last_metric_is_meant_where_none_is_named():
    trial = Trial()
    report(trial, None).broadcast({"train-auc": 0.75, "valid-auc": 0.5}, 0)

    assert trial.points == [(0, 0.5)]


@pytest.mark.parametrize(
    ("metric", "measured", "message"),
    [
        ("los", {"loss": 1.0, "auc": 0.5}, r"the metric 'los'\. Did you mean 'loss'\? There are 'loss', 'auc'\."),
        ("x", {f"metric{n}": 0.0 for n in range(30)}, r"'metric19' and 10 more\. Measure it\."),
        ("loss", {}, r"the metric 'loss'\. There is none\. Measure it\."),
        (None, {}, r"Callback does not find any metric\. There is none\. Measure it\."),
    ],
)
def test_a_metric_that_is_missing_is_an_error_that_lists_what_there_is(metric, measured, message):
    with pytest.raises(MetricKeyError, match=message):
        report(Trial(), metric).broadcast(measured, 0)
