"""One function, handed to lagom, on every engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, experiment, lagom
from maggy.config import BaseConfig
from maggy.earlystop import AbstractEarlyStop
from maggy.errors import EarlyStopException, ExperimentFailedError
from maggy.journal import ExperimentFolder, read
from maggy.optimizer import AbstractOptimizer, GridSearch
from maggy.trial import Trial, TrialState


def train(x, n, reporter):
    for step in range(n):
        reporter.broadcast(x * (step + 1), step)
    return x * n


def events(result, kind):
    return [r.event for r in read(ExperimentFolder.open(result.experiment_dir)) if type(r.event).__name__ == kind]


def test_the_first_seeds_sample_runs_as_written(engine):
    sp = Searchspace(kernel=("INTEGER", [2, 8]), pool=("INTEGER", [2, 8]))
    sp.add("dropout", ("DOUBLE", [0.01, 0.99]))
    number_iterations = 3

    def mnist(kernel, pool, dropout, reporter):
        for i in range(number_iterations):
            accuracy = (i + 1) / (kernel + pool + dropout)
            reporter.broadcast(metric=accuracy)
        return accuracy

    result = experiment.lagom(
        map_fun=mnist,
        searchspace=sp,
        optimizer="randomsearch",
        direction="max",
        num_trials=15,
        name="MNIST",
        engine=engine,
        verbose=0,
    )

    assert result["num_trials"] == 15 == len(result["metric_list"])
    assert result["best_val"] == max(result["metric_list"])
    assert result["best_hp"] == result["best_config"]
    assert set(result["best_config"]) == {"kernel", "pool", "dropout"}
    assert Path(result.experiment_dir) == Path("maggy-runs/MNIST/1").absolute()
    assert json.loads(Path(result.experiment_dir, "result.json").read_text())["best_val"] == result["best_val"]


def test_one_seed_gives_the_same_configurations_everywhere(engine):
    result = lagom(train, search(12, es_policy="none"), engine=engine, verbose=0)

    by_hand = lagom(train, search(12, es_policy="none"), engine="inline", verbose=0)
    assert {t.trial_id: t.params for t in result.trials} == {t.trial_id: t.params for t in by_hand.trials}
    assert sorted(result["metric_list"]) == sorted(by_hand["metric_list"])


def test_every_point_reaches_the_driver_in_order(engine):
    def talkative(x, reporter):
        for step in range(2_500):
            reporter.broadcast(float(step) * x, 2 * step)
        return x

    space = Searchspace(x=("DOUBLE", [1.0, 2.0]))
    result = lagom(talkative, search(3, searchspace=space), engine=engine, verbose=0)

    for trial in result.trials:
        reports = [report for report in events(result, "MetricsReported") if report.trial == trial.trial_id]
        assert [step for report in reports for step in report.steps] == list(range(0, 5_000, 2))
        assert [v for report in reports for v in report.values] == [step * trial.params["x"] for step in range(2_500)]


def test_a_single_run_gets_its_fixed_hyperparameters(engine):
    def run(lr, hparams, reporter):
        reporter.log(f"lr is {lr}")
        return {"Metric": lr * hparams["scale"], "note": "good"}

    result = lagom(run, BaseConfig(hparams={"lr": 0.5, "scale": 4}), engine=engine, verbose=0)

    assert result == {"test result": 2.0}
    assert result.best.metric_dict == {"Metric": 2.0, "note": "good"}
    assert Path(result.experiment_dir, "trials/0/output.log").read_text() == "lr is 0.5\n"


def test_without_a_config_the_function_just_runs(engine):
    assert lagom(lambda: 3, engine=engine, verbose=0) == {"test result": 3.0}


def test_what_a_trial_prints_and_logs_is_in_its_log(engine):
    import sys

    def chatty(x, reporter):
        print("printed", "twice")
        reporter.log("logged")
        print("to stderr", file=sys.stderr)
        print("no line feed", end="")
        return x

    result = lagom(chatty, search(2, searchspace=Searchspace(x=("INTEGER", [0, 9]))), engine=engine, verbose=0)

    for trial in (0, 1):
        log = Path(result.experiment_dir, f"trials/{trial}/output.log").read_text()
        assert log == "printed twice\nlogged\nto stderr\nno line feed\n"


def test_a_failing_trial_is_recorded_and_the_search_goes_on(engine):
    def sometimes(x, n):
        if n == 3:
            raise ValueError(f"n={n} does not work")
        return x

    result = lagom(sometimes, search(20, seed=4), engine=engine, verbose=0)

    bad = [trial for trial in result.trials if trial.params["n"] == 3]
    assert 0 < len(bad) < 20
    assert result["failed"] == len(bad)
    assert result["num_trials"] == 20 - len(bad)
    for trial in bad:
        assert trial.state is TrialState.FAILED
        assert trial.error == "ValueError: n=3 does not work"
        assert 'raise ValueError(f"n={n} does not work")' in trial.traceback
        assert "maggy/context" not in trial.traceback
        assert trial.final_metric is None


def test_if_the_first_trials_all_fail_alike_the_experiment_ends_with_their_error(engine):
    def broken(x):
        return undefined_name  # noqa: F821

    with pytest.raises(ExperimentFailedError, match="the first 5 trials all failed with the same error") as caught:
        lagom(broken, search(100, searchspace=Searchspace(x=("DOUBLE", [0.0, 1.0]))), engine=engine, verbose=0)

    assert caught.value.error == "NameError: name 'undefined_name' is not defined"
    assert "return undefined_name" in caught.value.traceback
    assert any("maggy-runs" in note for note in caught.value.__notes__)


def test_a_failing_single_run_raises_its_error(engine):
    def broken():
        return 1 / 0

    with pytest.raises(ExperimentFailedError, match="ZeroDivisionError: division by zero"):
        lagom(broken, engine=engine, verbose=0)


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (None, "ReturnTypeError: what the training function returned is None (is a return missing?)"),
        ("good", "ReturnTypeError: what the training function returned is str 'good'"),
        (float("nan"), "MetricValueError: what the training function returned is nan"),
        (float("inf"), "MetricValueError: what the training function returned is inf"),
        ({"loss": 1.0}, "ReturnKeyError: the training function returned a dict without 'Metric'"),
        ({"Metric": "high"}, "MetricTypeError: the dict's 'Metric' is str 'high'"),
        ([1.0, 2.0], "ReturnTypeError: what the training function returned is list"),
    ],
)
def test_what_is_no_metric_is_a_clear_error(returned, error):
    with pytest.raises(ExperimentFailedError) as caught:
        lagom(lambda: returned, engine="inline", verbose=0)

    assert error in caught.value.error


def test_numbers_of_every_library_are_metrics(engine):
    def typed(kind, reporter):
        import numpy as np
        import torch

        value = {
            "int": 2,
            "float32": np.float32(2),
            "int64": np.int64(2),
            "array": np.array(2.0),
            "tensor": torch.tensor(2.0, requires_grad=True),
        }[kind]
        reporter.broadcast(value)
        return value

    kinds = ["int", "float32", "int64", "array", "tensor"]
    config = search(5, optimizer="gridsearch", searchspace=Searchspace(kind=("CATEGORICAL", kinds)))
    assert lagom(typed, config, engine=engine, verbose=0)["metric_list"] == [2.0] * 5


class StopAtFour(AbstractEarlyStop):
    """Stops every trial but the first at its fourth point."""

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        return to_check.trial_id if len(to_check.metric_history) == 4 else None


def test_a_stopped_trial_pays_for_no_further_step(engine):
    def slow(x, reporter):
        import time

        reached = []
        try:
            for step in range(8):
                time.sleep(0.1)
                reached.append(step)
                reporter.broadcast(100.0 - step, step)
        finally:
            reporter.log(f"reached {reached}")
        return 1.0

    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
    config = search(2, searchspace=space, es_policy=StopAtFour(), es_min=0, num_workers=1)
    result = lagom(slow, config, engine=engine, verbose=0)

    first, second = result.trials
    assert first.state is TrialState.FINISHED and first.final_metric == 1.0
    assert second.state is TrialState.STOPPED and second.early_stop
    assert (
        Path(result.experiment_dir, "trials/1/output.log").read_text()
        == "[maggy] stopped by StopAtFour\nreached [0, 1, 2, 3]\n"
    )
    assert (second.final_metric, second.best_metric) == (97.0, 100.0)  # the last reported, and the best beside it
    assert second.reason == "stopped by StopAtFour"
    assert result["early_stopped"] == 1


def test_code_that_swallows_the_stop_finishes_by_itself(engine):
    def stubborn(x, reporter):
        import time

        for step in range(6):
            time.sleep(0.02)
            try:
                reporter.broadcast(float(step), step)
            except EarlyStopException:
                pass
        return 42.0

    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
    config = search(3, searchspace=space, es_policy=StopAtFour(), es_min=0, num_workers=1)
    result = lagom(stubborn, config, engine=engine, verbose=0)

    assert [trial.state for trial in result.trials] == [TrialState.FINISHED] * 3
    assert result["metric_list"] == [42.0] * 3


@pytest.mark.parametrize("direction", ["max", "min"])
def test_negating_metric_and_direction_changes_no_decision(direction):
    sign = 1 if direction == "max" else -1

    def curve(quality, reporter):
        import time

        for step in range(6):
            time.sleep(0.03)  # slower than a verdict, so that every step is judged
            reporter.broadcast(sign * quality * (step + 1), step)
        return sign * quality * 6.0

    config = search(
        9,
        optimizer="gridsearch",
        searchspace=Searchspace(quality=("DISCRETE", [5, 4, 6, 1, 7, 2, 8, 3, 9])),
        direction=direction,
        es_min=2,
    )
    result = lagom(curve, config, engine="inline", verbose=0)

    # Running averages to step 1 are 1.5 q, so a best of 2 q stands against 1.5 times the median q of those before:
    # 1 against (4 5 6): 2 < 7.5; 7 passes; 2 against (1 4 5 6 7): 4 < 7.5; 8 passes; 3 against (1 2 4 5 6 7 8):
    # 6 < 7.5; 9 passes.
    stopped = [trial.params["quality"] for trial in result.trials if trial.state is TrialState.STOPPED]
    assert stopped == [1, 2, 3]
    assert [trial.num_points for trial in result.trials if trial.early_stop] == [2, 2, 2]
    assert result["best_val"] == sign * 54.0


class Halving(AbstractOptimizer):
    """Bisects towards the best x, as a user's own plan would."""

    def initialize(self):
        self.x, self.width = 0.5, 0.25
        self.seen = []

    def get_suggestion(self, trial=None):
        if trial is not None:
            self.seen.append(trial.final_metric)
        if len(self.seen) < len(self.final_store):
            return "IDLE"
        if self.width < 0.01:
            return None
        suggestion = Trial({"x": self.x})
        self.x += self.width
        self.width /= 2
        return suggestion

    def finalize_experiment(self, trials):
        self.total = len(trials)


def test_a_custom_optimizer_of_the_developer_api_drives_the_search(engine):
    optimizer = Halving()
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))

    result = lagom(lambda x: x, search(100, optimizer=optimizer, searchspace=space), engine=engine, verbose=0)

    assert sorted(result["metric_list"]) == [0.5, 0.75, 0.875, 0.9375, 0.96875]
    assert optimizer.total == 5
    assert set(optimizer.seen) <= set(result["metric_list"])  # what ends after the last question is told at the end


def test_grid_search_tries_every_combination_once(engine):
    space = Searchspace(a=("INTEGER", [1, 3]), b=("CATEGORICAL", ["x", "y"]))

    result = lagom(lambda a, b: a, search(1, optimizer=GridSearch(), searchspace=space), engine=engine, verbose=0)

    tried = sorted((trial.params["a"], trial.params["b"]) for trial in result.trials)
    assert tried == [(1, "x"), (1, "y"), (2, "x"), (2, "y"), (3, "x"), (3, "y")]


def test_the_experiment_folder_says_how_to_repeat_it():
    result = lagom(train, search(4, description="a try"), engine="inline", verbose=0)

    about: dict[str, Any] = json.loads(Path(result.experiment_dir, "experiment.json").read_text())
    assert about["seed"] == 7
    assert about["engine"] == "inline"
    assert about["config"]["description"] == "a try"
    assert about["config"]["searchspace"] == {"x": ["DOUBLE", [0.0, 1.0]], "n": ["INTEGER", [1, 5]]}
    again = search(4, seed=about["seed"], searchspace=Searchspace(**about["config"]["searchspace"]))
    assert lagom(train, again, engine="inline", verbose=0)["metric_list"] == result["metric_list"]


def test_an_experiment_folder_may_be_any_url():
    result = lagom(train, search(3, experiment_dir="memory://somewhere/run"), engine="inline", verbose=0)

    assert result.experiment_dir == "memory://somewhere/run"
    assert len(events(result, "TrialFinished")) == 3
    assert json.loads(ExperimentFolder.open("memory://somewhere/run").read("result.json"))["num_trials"] == 3


def test_every_name_of_older_versions_leads_to_the_same_door():
    from maggy.config import HyperparameterOptConfig
    from maggy.experiment.experiment import lagom as in_1_1
    from maggy.experiment_config import OptimizationConfig

    assert in_1_1 is experiment.lagom is lagom
    config = OptimizationConfig(2, "randomsearch", Searchspace(x=("DOUBLE", [0.0, 1.0])))
    assert isinstance(config, HyperparameterOptConfig)
    result = in_1_1(lambda hparams: {"metric": hparams["x"]}, config, engine="inline", verbose=0)
    assert result["num_trials"] == 2
    flat = {"searchspace": config.searchspace, "optimizer": "randomsearch", "num_trials": 2, "engine": "inline"}
    assert experiment.launch(lambda x: x, verbose=0, **flat)["num_trials"] == 2


def test_a_store_that_refuses_files_costs_no_result(monkeypatch, capsys):
    from fsspec.implementations.memory import MemoryFileSystem

    write = MemoryFileSystem.pipe_file

    def fill_up(self, path, *args, **kwargs):
        if not path.endswith(".claim"):  # it was not yet full when the experiment began
            raise OSError("the bucket is full")
        write(self, path, *args, **kwargs)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", fill_up)

    result = lagom(train, search(3, experiment_dir="memory://full/run"), engine="inline", verbose=0)

    assert result["num_trials"] == 3
    assert "memory://full/run cannot be written (the bucket is full); everything is in " in capsys.readouterr().out


def test_the_journal_alone_tells_what_became_of_every_trial(engine):
    from maggy.brain import Brain, Rules
    from maggy.brain.commands import Settle

    def mixed(x, n, reporter):
        import time

        for step in range(4):
            time.sleep(0.01)
            reporter.broadcast(x * n, step)
        if n == 5:
            raise ValueError("five")
        return x * n

    result = lagom(mixed, search(16, es_min=3), engine=engine, verbose=0)

    brain = Brain(Rules(num_trials=16))
    settled = {}
    for record in read(ExperimentFolder.open(result.experiment_dir)):
        for command in brain.handle(record.event, 0.0):
            if isinstance(command, Settle):
                settled[command.trial] = command.state
    assert settled == {trial.trial_id: trial.state for trial in result.trials}
    assert len(settled) == 16
    assert brain.ending == "complete"
