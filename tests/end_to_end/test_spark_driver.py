"""Trials that start Spark jobs themselves: threads beside the session."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, lagom
from maggy.earlystop import AbstractEarlyStop
from maggy.engine.spark import SparkEngine
from maggy.errors import ConfigError, EngineError, ResumeError
from maggy.joining import join
from maggy.trial import TrialState

pytestmark = [pytest.mark.spark, pytest.mark.sessions]

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))
PAIR = Searchspace(x=("DISCRETE", [0, 1]))


def wait_in_a_task(begun, until):
    """What a task of a test does: leave a mark, and end when another one is there."""

    def task(_):
        Path(begun).touch()
        while not Path(until).exists():
            time.sleep(0.01)

    return task


def await_marks(folder, pattern, number):
    while len(list(Path(folder).glob(pattern))) < number:
        time.sleep(0.01)


def active_jobs(spark):
    return list(spark.sparkContext.statusTracker().getActiveJobsIds())


@pytest.fixture
def points(spark):
    """Points of two classes, which a line parts."""
    from pyspark.ml.feature import VectorAssembler

    rows = [(float(x), float(y), float(x + y > 4)) for x in range(6) for y in range(6)]
    table = spark.createDataFrame(rows, ["x", "y", "label"])
    return VectorAssembler(inputCols=["x", "y"], outputCol="features").transform(table).cache()


def test_a_search_over_a_model_of_spark_runs_trials_side_by_side_each_in_a_pool_of_its_own(spark, points):
    from pyspark.ml.classification import LogisticRegression

    context = spark.sparkContext
    both = threading.Barrier(2)

    def train(reg, elastic, train_set):
        assert train_set is points  # it was neither pickled nor written
        if reg > 0.5:  # the first two trials, whichever worker has them
            both.wait(60)
        model = LogisticRegression(regParam=reg, elasticNetParam=elastic).fit(train_set)
        print(f"trained with {reg}")
        return {
            "Metric": model.summary.accuracy,
            "pool": context.getLocalProperty("spark.scheduler.pool"),
            "tags": sorted(context.getJobTags()),
        }

    space = Searchspace(reg=("DISCRETE", [0.9, 0.8, 0.01, 0.0]), elastic=("DISCRETE", [0.5]))
    config = search(4, searchspace=space, optimizer="gridsearch", train_set=points, num_workers=2)
    result = lagom(train, config, engine=SparkEngine(spark, where="driver"), verbose=0)

    assert result["num_trials"] == 4 and result["failed"] == 0
    assert result["best_val"] == 1.0 and result["best_config"]["reg"] < 0.5
    assert {trial.metric_dict["pool"] for trial in result.trials} == {"maggy-0", "maggy-1"}
    tags = [tag for trial in result.trials for tag in trial.metric_dict["tags"]]
    assert len(set(tags)) == 4
    for trial in result.trials:
        log = Path(result.experiment_dir, f"trials/{trial.trial_id}/output.log").read_text()
        assert log == f"trained with {trial.params['reg']}\n"
    assert not Path(result.experiment_dir, "data").exists()
    assert context.getLocalProperty("spark.scheduler.pool") is None


def test_jobs_of_two_trials_run_at_the_same_time(spark, tmp_path):
    folder = str(tmp_path)

    def train(x):
        mine, others = Path(folder, f"begun-{x}"), Path(folder, f"begun-{1 - x}")
        spark.sparkContext.parallelize([0], 1).foreach(wait_in_a_task(str(mine), str(others)))
        return x

    config = search(2, searchspace=PAIR, optimizer="gridsearch")
    result = lagom(train, config, engine=SparkEngine(spark, where="driver"), verbose=0)

    assert [trial.state for trial in result.trials] == [TrialState.FINISHED] * 2


class StopZeroInItsJob(AbstractEarlyStop):
    """Stops the trial with x = 0, once its job runs."""

    def __init__(self, folder):
        self.folder = folder

    def earlystop_check(self, to_check, finalized_trials, direction):
        if to_check.params["x"] != 0:
            return None
        await_marks(self.folder, "begun-0", 1)
        return to_check.trial_id


def test_a_stop_cancels_the_jobs_of_its_trial_and_no_others(spark, tmp_path):
    folder = str(tmp_path)

    def train(x, reporter):
        if x == 2:
            return x
        Path(folder, f"trial-{x}").touch()
        await_marks(folder, "trial-*", 2)  # both run, so the first one has finished: now trials are judged
        for step in range(2):
            reporter.broadcast(x + 0.25, step=step)
        stopped = Path(folder, "stopped")
        until = Path(folder, "never") if x == 0 else stopped
        try:
            spark.sparkContext.parallelize([0], 1).foreach(wait_in_a_task(f"{folder}/begun-{x}", str(until)))
        except Exception:
            stopped.touch()
            raise
        return x

    space = Searchspace(x=("DISCRETE", [2, 0, 1]))
    config = search(3, searchspace=space, optimizer="gridsearch", es_policy=StopZeroInItsJob(folder), es_min=0)
    result = lagom(train, config, engine=SparkEngine(spark, where="driver"), verbose=0)

    by_x = {trial.params["x"]: trial for trial in result.trials}
    assert (by_x[0].state, by_x[0].final_metric) == (TrialState.STOPPED, 0.25)
    assert (by_x[1].state, by_x[1].final_metric) == (TrialState.FINISHED, 1.0)
    assert active_jobs(spark) == []


def test_a_trial_that_fails_in_spark_is_recorded_and_the_others_go_on(spark):
    def train(x):
        return spark.range(5).select("id" if x < 0.7 else "nothing").count() * x

    result = lagom(train, search(12, searchspace=X), engine=SparkEngine(spark, where="driver"), verbose=0)

    failed = [trial for trial in result.trials if trial.state is TrialState.FAILED]
    assert [trial.params["x"] >= 0.7 for trial in failed] == [True] * len(failed)
    assert 0 < len(failed) == result["failed"] < 12
    assert "UNRESOLVED_COLUMN" in failed[0].error


def test_ctrl_c_cancels_what_runs_and_the_program_can_resume_it(spark, tmp_path):
    folder = str(tmp_path)
    calm = threading.Event()

    def train(x):
        if x < 2 or calm.is_set():
            return x
        os.kill(os.getpid(), signal.SIGINT)
        spark.sparkContext.parallelize([0], 1).foreach(wait_in_a_task(f"{folder}/begun", f"{folder}/never"))
        return x

    space = Searchspace(x=("DISCRETE", [0, 1, 2, 3]))
    config = search(4, searchspace=space, optimizer="gridsearch", num_workers=1)
    result = lagom(train, config, engine=SparkEngine(spark, where="driver"), verbose=0)

    assert result.interrupted
    assert sorted(result["metric_list"]) == [0.0, 1.0]
    assert active_jobs(spark) == []
    with pytest.raises(ResumeError, match="the function was called as it is, in the program itself"):
        lagom(resume=result.experiment_dir)
    with pytest.raises(EngineError, match="the spark-driver engine, which nobody can join: its workers are threads"):
        join(result.experiment_dir)

    calm.set()
    engine = SparkEngine(spark, where="driver")
    result = lagom(train, config, engine=engine, resume=result.experiment_dir, verbose=0)
    assert sorted(result["metric_list"]) == [0.0, 1.0, 2.0, 3.0]


def test_jobs_that_a_trial_leaves_behind_end_with_it(spark, tmp_path):
    from pyspark import InheritableThread

    folder = str(tmp_path)
    ends = []

    def work():
        try:
            spark.sparkContext.parallelize([0], 1).foreach(wait_in_a_task(f"{folder}/begun", f"{folder}/never"))
        except Exception as error:
            ends.append(str(error))

    def train(x):
        thread = InheritableThread(target=work)
        thread.start()
        await_marks(folder, "begun", 1)
        train.thread = thread
        return x

    lagom(train, search(1, searchspace=X), engine=SparkEngine(spark, where="driver"), verbose=0)

    train.thread.join(60)
    assert len(ends) == 1 and "cancelled" in ends[0]


def test_trials_on_several_workers_are_refused_there(spark):
    config = search(2, searchspace=X, workers_per_trial=2, distributed="plain")
    with pytest.raises(
        ConfigError, match=r"several workers \(here 2\) needs a process for each\. Trials run in threads"
    ):
        lagom(lambda x: x, config, engine=SparkEngine(spark, where="driver"), verbose=0)


def test_resources_of_a_worker_are_refused_there(spark):
    config = search(2, searchspace=X, resources_per_worker={"cpu": 2})
    with pytest.raises(ConfigError, match="resources_per_worker: trials run on the driver"):
        lagom(lambda x: x, config, engine=SparkEngine(spark, where="driver"), verbose=0)


def test_there_are_as_many_trials_at_once_as_is_said(spark):
    assert SparkEngine(spark, where="driver").slots({}) == 2  # the cluster runs no more tasks at once
    assert SparkEngine(spark, where="driver", slots=3).slots({}) == 3
