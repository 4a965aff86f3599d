"""What the book says of a trial at every point of its life."""

import math

import numpy as np
import pytest

from maggy.brain.events import Promoted
from maggy.chronicle.book import Book, params_of
from maggy.errors import ImpossibleTransitionError
from maggy.trial import Checkpoint, Objective, Trial, TrialState

FINISHED, STOPPED, FAILED, LOST = TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST


def book(direction="max", *, keep_losses=True, keep_metrics=False):
    """A book with trial 0 running on worker 4."""
    made = Book([Objective("Metric", direction)], keep_losses=keep_losses, keep_metrics=keep_metrics)
    made.open(0, Trial({"lr": 0.1}))
    assert made.running[0].state is TrialState.PENDING
    made.start(0, attempt=0, workers=[4], t=100.0)
    return made


def test_a_trial_from_its_start_to_its_result():
    made = book()
    made.report(0, [1, 2], [0.5, 0.75])
    made.report(0, [3], [0.25])
    running = made.running[0]
    assert (running.state, running.worker, running.start, running.num_points) == (TrialState.RUNNING, 4, 100.0, 3)
    assert (running.final_metric, running.best_metric) == (0.25, 0.75)

    made.note(0, final_metric=0.5, metric_dict={"acc": 0.5})
    trial = made.settle(0, FINISHED, None, t=107.5)
    assert trial is running
    assert (trial.state, trial.final_metric, trial.best_metric) == (FINISHED, 0.5, 0.75)
    assert (trial.end, trial.duration) == (107.5, 7500.0)
    assert list(made.ended) == [trial]
    assert made.running == {}
    assert made.num_results == 1


def test_curves_are_losses_in_the_order_of_the_ends():
    made = book("max")
    made.open(1, Trial({"lr": 0.2}))
    made.start(1, attempt=0, workers=[5], t=100.0)
    made.report(0, [1, 2], [0.5, 0.75])
    made.report(1, [1], [0.25])
    assert made.losses[0].values == [-0.5, -0.75]
    made.settle(1, STOPPED, None, t=101.0)
    made.settle(0, FINISHED, None, t=102.0)
    assert [curve.values for curve in made.finished] == [[-0.25], [-0.5, -0.75]]
    assert made.losses == {}


@pytest.mark.parametrize(("direction", "best"), [("max", 0.75), ("min", 0.25)])
def test_the_best_is_the_best_in_the_users_direction_and_the_result_counts_too(direction, best):
    made = book(direction)
    made.report(0, [1, 2], [0.5, math.nan])
    assert made.running[0].best_metric == 0.5
    made.note(0, final_metric=best)
    assert made.settle(0, FINISHED, None, t=1.0).best_metric == best


def test_the_sign_is_flipped_for_max_and_only_there():
    assert Book([Objective("Metric", "max")], keep_losses=False, keep_metrics=False).loss(0.5) == -0.5
    assert Book([Objective("Metric", "min")], keep_losses=False, keep_metrics=False).loss(0.5) == 0.5


@pytest.mark.parametrize("state", [FAILED, LOST])
def test_what_a_trial_reported_before_it_failed_is_no_result(state):
    made = book()
    made.report(0, [1], [0.5])
    trial = made.settle(0, state, "KeyError: 'x'", t=1.0)
    assert (trial.final_metric, trial.best_metric, trial.error) == (None, None, "KeyError: 'x'")
    assert trial.num_points == 1
    assert list(made.finished) == []
    assert made.num_results == 0


@pytest.mark.parametrize(
    ("step", "points", "best"), [(1, 1, 0.25), (2, 2, 0.5), (3, 3, 0.75)], ids=["from nothing", "from 1", "from 2"]
)
def test_a_second_attempt_replaces_what_was_reported_from_the_step_on_at_which_it_begins(step, points, best):
    made = book(keep_metrics=True)
    made.report(0, [1, 2], [0.5, 0.75])
    made.start(0, attempt=1, workers=[5], t=200.0)
    trial = made.running[0]
    assert (trial.attempt, trial.worker, trial.start, trial.final_metric) == (1, 5, 200.0, None)
    made.report(0, [step], [0.25])
    assert (trial.num_points, trial.final_metric, trial.best_metric) == (points, 0.25, best)
    assert trial.curve.steps == made.losses[0].steps == [1, 2, 3][:points]


def test_a_second_attempt_that_reports_nothing_leaves_nothing_of_the_first():
    made = book()
    made.report(0, [1, 2], [0.5, 0.75])
    made.start(0, attempt=1, workers=[5], t=200.0)
    made.note(0, final_metric=0.1)
    trial = made.settle(0, FINISHED, None, t=201.0)
    assert (trial.num_points, trial.best_metric, trial.run_s) == (0, 0.1, 1.0)


def test_a_second_attempt_that_goes_on_from_the_end_and_reports_nothing_more_keeps_what_was_reported_by_then():
    made = book(keep_metrics=True)
    made.report(0, [1, 2, 3], [0.5, 0.75, 0.7])
    made.running[0].checkpoint = Checkpoint(url="", attempt=0, step=2, size_bytes=1, seconds=0.1)
    made.start(0, attempt=1, workers=[5], t=200.0)
    made.note(0, final_metric=0.6)
    trial = made.settle(0, FINISHED, None, t=201.0)
    assert (trial.num_points, trial.best_metric, trial.metric_history) == (2, 0.75, [0.5, 0.75])
    assert made.finished[0].values == [-0.5, -0.75]


# --- promotions


def promoted(made, *, budget=9):
    """Trial 0 returns at budget 3 with 0.5, is promoted, and runs on."""
    made.running[0].budget, made.running[0].rung, made.running[0].resumable = 3, 0, True
    made.report(0, [1, 2, 3], [0.25, 0.5, 0.5])
    made.settle(0, FINISHED, None, t=110.0)
    made.promote(Promoted(ask=1, trial=0, budget=budget, rung=1, reason="best of 3"))
    made.start(0, attempt=1, workers=[6], t=200.0)
    return made.running[0]


@pytest.mark.parametrize("keep_losses", [False, True])
@pytest.mark.parametrize(("step", "points"), [(4, 4), (1, 1)], ids=["from its checkpoint", "from nothing"])
def test_a_promoted_trial_goes_on_with_its_curve_or_begins_it_anew(step, points, keep_losses):
    made = book(keep_losses=keep_losses)
    trial = promoted(made)
    made.report(0, [step], [0.75])
    made.settle(0, FINISHED, None, t=220.0)
    assert (trial.num_points, trial.final_metric, trial.rungs) == (points, 0.75, [(3, 0.5), (9, 0.75)])
    assert (trial.budget, trial.rung, trial.notes, trial.run_s) == (9, 1, ["best of 3"], 30.0)
    assert list(made.ended) == [trial] and made.num_results == 1
    if keep_losses:
        assert [(curve.steps, curve.since) for curve in made.finished] == [
            ([1, 2, 3], -1),
            ([1, 2, 3, 4][:points], 3),
        ]


def test_a_trial_that_fails_after_its_promotion_has_its_result_of_before_and_says_what_happened():
    made = book()
    trial = promoted(made)
    made.report(0, [4], [0.9])
    made.settle(0, FINISHED, "KeyError: 'x'", t=220.0, fell_back=True)
    assert (trial.state, trial.final_metric, trial.best_metric, trial.num_points) == (FINISHED, 0.5, 0.5, 3)
    assert (trial.budget, trial.rung, trial.rungs, trial.error) == (3, 0, [(3, 0.5)], "KeyError: 'x'")
    assert trial.notes == ["best of 3", "failed on its way to budget 9: KeyError: 'x'"]


def test_an_experiment_that_ends_while_a_promoted_trial_runs_keeps_its_result_of_before():
    made = book()
    trial = promoted(made)
    made.report(0, [4], [0.9])
    made.close()
    assert (trial.state, trial.final_metric, trial.num_points, made.running) == (FINISHED, 0.5, 3, {})


def test_a_trial_that_runs_on_has_no_end_yet_and_nothing_of_its_run_before():
    made = book()
    made.running[0].resumable = True
    made.note(0, final_metric=0.5, metric_dict={"Metric": 0.5}, reason="told to stop, and done before it saw that")
    made.settle(0, FINISHED, None, t=110.0)
    made.promote(Promoted(ask=1, trial=0, budget=9, reason="best of 3"))
    assert made.running[0].state is TrialState.PENDING
    assert list(made.ended) == [made.running[0]], "it stays among those that have ended"
    made.start(0, attempt=1, workers=[6], t=200.0)
    trial = made.running[0]
    assert (trial.duration, trial.end, trial.final_metric, trial.metric_dict, trial.reason) == (None,) * 5
    made.note(0, reason="above 0.6")
    made.start(0, attempt=2, workers=[7], t=300.0)  # it lost its worker, and had nothing to show
    assert trial.reason is None


@pytest.mark.parametrize("state", [None, STOPPED, FAILED, LOST])
def test_only_what_has_returned_and_was_said_to_be_resumable_can_be_promoted(state):
    made = book()
    made.running[0].resumable = True
    if state is not None:
        made.note(0, final_metric=0.5)
        made.settle(0, state, "KeyError" if state in (FAILED, LOST) else None, t=110.0)
    made.open(1, Trial({"lr": 0.2}))
    made.start(1, attempt=0, workers=[5], t=100.0)
    made.note(1, final_metric=0.5)
    made.settle(1, FINISHED, None, t=110.0)
    for trial in (0, 1, 7):
        with pytest.raises(ImpossibleTransitionError, match=f"trial {trial} cannot be promoted"):
            made.promote(Promoted(ask=1, trial=trial, budget=9, reason="best of 3"))


def test_a_trial_is_promoted_once_for_each_time_that_it_returned():
    made = book()
    promoted(made)
    made.note(0, final_metric=0.5)
    made.running[0].resumable = True
    again = Promoted(ask=2, trial=0, budget=27, reason="best of 2")
    with pytest.raises(ImpossibleTransitionError):
        made.promote(again)
    made.settle(0, FINISHED, None, t=220.0)
    made.promote(again)
    assert made.running[0].budget == 27


def test_each_run_of_a_promoted_trial_that_is_set_back_goes_on_with_the_curve_of_before():
    made = book(keep_metrics=True)
    trial = promoted(made)
    made.report(0, [4, 5], [0.75, 0.8])
    made.start(0, attempt=2, workers=[7], t=300.0)
    made.report(0, [5], [0.9])  # from the checkpoint of step 4
    assert made.losses[0].steps == trial.curve.steps == [1, 2, 3, 4, 5]
    assert trial.metric_history == [0.25, 0.5, 0.5, 0.75, 0.9]
    made.start(0, attempt=3, workers=[7], t=400.0)
    made.report(0, [1], [0.1])  # from nothing
    assert (trial.metric_history, trial.num_points, trial.best_metric) == ([0.1], 1, 0.1)
    assert made.finished[0].values == [-0.25, -0.5, -0.5], "what was counted before stays"


def test_curves_are_kept_only_where_somebody_needs_them():
    nobody = book(keep_losses=False)
    nobody.report(0, [1], [0.5])
    assert nobody.running[0].curve is None
    assert nobody.losses == {}
    assert nobody.running[0].num_points == 1
    nobody.settle(0, FINISHED, None, t=1.0)
    assert list(nobody.finished) == []

    developers = book("max", keep_losses=False, keep_metrics=True)
    developers.report(0, [1], [0.5])
    assert developers.running[0].metric_history == [0.5]  # in the user's sign
    assert developers.running[0].step_history == [1]


def test_parameters_of_numpy_become_plain_values():
    params = params_of(Trial({"lr": np.float64(0.1), "layers": np.int64(2), "name": "adam", "units": [64, 32]}))
    assert params == {"lr": 0.1, "layers": 2, "name": "adam", "units": [64, 32]}
    assert [type(value) for value in params.values()] == [float, int, str, list]
