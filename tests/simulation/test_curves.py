"""What a configuration would show."""

from __future__ import annotations

import numpy as np
import pytest
from simulation.helpers import grid_of, times

from maggy import simulate
from maggy.errors import ConfigError, ExperimentFailedError
from maggy.simulation import LearningCurve
from maggy.trial import TrialState


@pytest.mark.parametrize(
    ("values", "seconds", "says"),
    [
        ([], 1.0, "at least one step"),
        ({}, 1.0, "at least one step"),
        ({"loss": [1.0], "size": [1.0, 2.0]}, 1.0, "as many for each key"),
        ([1.0, 2.0], [1.0], "2 steps has 1 times"),
        ([1.0, 2.0], -1.0, "cannot take -1.0 seconds"),
        ([1.0, 2.0], [1.0, float("nan")], "cannot take"),
    ],
)
def test_a_curve_that_cannot_be_says_why(values, seconds, says):
    with pytest.raises(ValueError, match=says):
        LearningCurve(values, seconds)


def test_steps_may_take_different_times_and_arrays_will_do():
    curves = [LearningCurve(np.array([3.0, 2.0]), np.array([1.0, 0.5])), LearningCurve([4.0], np.float64(2))]
    result = simulate(grid_of(2), lambda params: curves[params["number"]], workers=1)
    assert times(result) == {0: (0, 0.0, 1.5), 1: (0, 1.5, 3.5)}
    assert [(trial.final_metric, trial.num_points) for trial in result.trials] == [(2.0, 2), (4.0, 1)]


def test_a_function_without_steps_takes_a_second_and_reports_nothing():
    result = simulate(grid_of(2, es_policy="median", es_min=0), lambda params: params["number"] / 2, workers=1)
    assert times(result) == {0: (0, 0.0, 1.0), 1: (0, 1.0, 2.0)}
    assert [(trial.final_metric, trial.num_points) for trial in result.trials] == [(0.0, 0), (0.5, 0)]


class Table:
    """A table of recorded curves."""

    def curve(self, params):
        return [float(params["number"]), 1.0]

    def seconds(self, params):
        return 0.5 + params["number"]


def test_a_table_is_asked_for_curve_and_seconds():
    result = simulate(grid_of(2), Table(), workers=1)
    assert times(result) == {0: (0, 0.0, 1.0), 1: (0, 1.0, 4.0)}
    assert [trial.best_metric for trial in result.trials] == [0.0, 1.0]


def test_several_objectives_have_a_list_each_and_the_result_a_pareto_set():
    curves = [{"loss": [9, 1], "size": [5, 5]}, {"loss": [9, 2], "size": [5, 4]}, {"loss": [9, 3], "size": [5, 6]}]
    config = grid_of(3, optimizer="randomsearch", optimization_key=["loss", "size"], direction=["min", "min"])
    tried = iter(curves)
    result = simulate(config, lambda params: LearningCurve(next(tried)), workers=1, seed=0)
    assert [trial.metric_dict for trial in result.trials] == [
        {"loss": 1.0, "size": 5.0},
        {"loss": 2.0, "size": 4.0},
        {"loss": 3.0, "size": 6.0},
    ]
    assert result["pareto_ids"] == [0, 1]


def test_a_dict_of_numbers_is_what_a_function_without_steps_returns():
    config = grid_of(2, optimizer="randomsearch", optimization_key=["loss", "size"], direction=["min", "min"])
    result = simulate(config, lambda params: {"loss": 0.5, "size": params["number"]}, workers=2)
    assert all(trial.metric_dict["loss"] == 0.5 for trial in result.trials)


def test_a_curve_that_raises_is_one_failed_trial():
    def curves(params):
        if params["number"] == 1:
            raise OSError("no memory")
        return LearningCurve([0.5])

    result = simulate(grid_of(3), curves, workers=1)
    assert [trial.state for trial in result.trials] == [TrialState.FINISHED, TrialState.FAILED, TrialState.FINISHED]
    assert result.failed_trials[0].error == "OSError: no memory"
    assert "in curves" in result.failed_trials[0].traceback
    assert result.simulated_s == 2.0


def test_a_curve_that_diverges_fails_its_trial_where_it_does():
    result = simulate(
        grid_of(2), lambda params: LearningCurve([1.0, float("nan") if params["number"] else 0.5, 0.4]), workers=1
    )
    assert times(result) == {0: (0, 0.0, 3.0), 1: (0, 3.0, 5.0)}
    assert "BroadcastMetricValueError" in result.failed_trials[0].error


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "curves returned NoneType"),
        ([0.5], "has to return a LearningCurve"),
        (LearningCurve({"accuracy": [0.5]}), "no values for Metric"),
        ({"accuracy": 0.5}, "without 'Metric'"),
    ],
)
def test_what_is_no_curve_fails_every_trial_and_says_why(answer, says):
    with pytest.raises(ExperimentFailedError, match=says):
        simulate(grid_of(9), lambda params: answer, workers=1)


def test_what_cannot_be_asked_for_curves_is_refused():
    with pytest.raises(ConfigError, match="curves has to be a function of a configuration"):
        simulate(grid_of(2), [0.5, 0.4], workers=1)
