"""What `lagom` returns."""

import json

import pytest

from maggy.result import Result
from maggy.trial import Objective, Trial, TrialState

FINISHED, STOPPED, FAILED, LOST = TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST


def trial(number, state, metric=None, **facts):
    return Trial({"lr": number / 10}, trial_id=number, state=state, final_metric=metric, **facts)


TRIALS = [
    trial(2, FINISHED, 0.5, num_points=7),
    trial(0, FAILED, error="KeyError"),
    trial(1, STOPPED, 0.25),
    trial(4, FINISHED, 0.75),
    trial(3, LOST),
]


def search(trials=TRIALS, direction="max", interrupted=False):
    return Result.of_search(trials, [Objective("Metric", direction)], experiment_dir="/runs/1", interrupted=interrupted)


def test_a_search_has_the_keys_that_users_know():
    assert dict(search()) == {
        "best_id": 4,
        "best_val": 0.75,
        "best_config": {"lr": 0.4},
        "best_hp": {"lr": 0.4},
        "worst_id": 1,
        "worst_val": 0.25,
        "worst_config": {"lr": 0.1},
        "worst_hp": {"lr": 0.1},
        "avg": 0.5,
        "metric_list": [0.5, 0.25, 0.75],
        "num_trials": 3,
        "early_stopped": 1,
        "failed": 2,
        "num_epochs": 7,
        "trial_id": 2,
    }


def test_the_other_direction_turns_best_and_worst_around():
    result = search(direction="min")
    assert (result["best_id"], result["worst_id"]) == (1, 4)
    assert result.best is TRIALS[2]


@pytest.mark.parametrize("direction", ["max", "min"])
def test_of_equals_the_one_that_ended_first_is_the_best(direction):
    equals = [trial(3, FINISHED, 0.5), trial(1, FINISHED, 0.5)]
    assert search(equals, direction)["best_id"] == 3


def test_a_search_without_a_result_says_so_with_the_key_of_old():
    result = search([trial(0, FAILED, error="KeyError")])
    assert dict(result) == {"best_val": "n.a.", "num_trials": 0, "early_stopped": 0, "failed": 1}
    assert result.best is None
    assert dict(search([])) == {"best_val": "n.a.", "num_trials": 0, "early_stopped": 0, "failed": 0}


def test_more_is_there_as_attributes():
    result = search(interrupted=True)
    assert result.trials == TRIALS
    assert [failed.trial_id for failed in result.failed_trials] == [0, 3]
    assert (result.experiment_dir, result.interrupted) == ("/runs/1", True)


def test_the_result_is_json_and_its_configs_are_its_own():
    result = search()
    assert json.loads(json.dumps(result)) == dict(result)
    result["best_config"]["lr"] = 99
    assert (result["best_hp"], TRIALS[3].params) == ({"lr": 0.4}, {"lr": 0.4})


def test_a_single_run_has_its_test_result():
    done = Result.of_run([trial(0, FINISHED, 0.5)], experiment_dir="/runs/1", interrupted=False)
    assert dict(done) == {"test result": 0.5}
    assert done.best is done.trials[0]
    failed = Result.of_run([trial(0, FAILED)], experiment_dir="/runs/1", interrupted=True)
    assert dict(failed) == {"test result": None}
    assert failed.best is None


def test_a_table_has_a_row_for_each_trial_and_a_column_for_each_hyperparameter():
    pytest.importorskip("pandas")
    table = search().to_pandas()
    assert list(table["trial_id"]) == [2, 0, 1, 4, 3]
    assert list(table["state"]) == ["finished", "failed", "stopped", "finished", "lost"]
    assert list(table["hp_lr"]) == [0.2, 0.0, 0.1, 0.4, 0.3]
    assert list(table["metric"].isna()) == [False, True, False, False, True]
