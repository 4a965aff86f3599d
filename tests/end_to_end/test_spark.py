"""Spark, with executors in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, lagom
from maggy.config import BaseConfig
from maggy.engine.spark import SparkEngine
from maggy.errors import EngineError, ExperimentFailedError, NoWorkersError
from maggy.trial import TrialState

pytestmark = pytest.mark.spark

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))


def running_tasks(spark):
    tracker = spark.sparkContext.statusTracker()
    return list(tracker.getActiveJobsIds())


def engine_with_all_slots(spark, **settings):
    """An engine, once Spark has replaced the executors that earlier tests have killed."""
    engine = SparkEngine(spark, **settings)
    while engine.slots({}) < 2:
        time.sleep(0.05)
    return engine


def children_of_executors():
    """Maggy's worker processes on the executors of this test run; these work in folders below Spark's home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments, folder = (process / "cmdline").read_bytes(), (process / "cwd").readlink()
        except (OSError, PermissionError):
            continue  # gone meanwhile
        if b"maggy.worker.guard" in arguments and folder.is_relative_to(os.environ["SPARK_HOME"]):
            found.append(process.name)
    return found


def test_spark_is_taken_where_a_session_is_active(spark):
    def where(x):
        import os

        return {"Metric": x, "executor": os.getcwd()}

    result = lagom(where, search(12, searchspace=X), verbose=0)

    # Executors of a cluster work in folders of their own; local processes would work in this one.
    executors = {trial.metric_dict["executor"] for trial in result.trials}
    assert 1 <= len(executors) <= 2
    assert os.getcwd() not in executors
    assert running_tasks(spark) == []
    assert children_of_executors() == []


def test_experiments_follow_each_other_in_one_session(spark):
    for seed in range(4):
        result = lagom(lambda x: x, search(6, searchspace=X, seed=seed), engine=SparkEngine(spark), verbose=0)
        assert result["num_trials"] == 6
        assert running_tasks(spark) == []
    assert spark.range(10).count() == 10


def test_two_experiments_at_once_share_a_session(spark):
    results = {}

    def one(seed):
        config = search(10, searchspace=X, seed=seed, num_workers=1)
        results[seed] = lagom(lambda x: x, config, engine=SparkEngine(spark), verbose=0)

    threads = [threading.Thread(target=one, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for seed, result in results.items():
        alone = lagom(lambda x: x, search(10, searchspace=X, seed=seed), engine="inline", verbose=0)
        assert sorted(result["metric_list"]) == sorted(alone["metric_list"])


def test_errors_of_the_function_never_reach_sparks_own_retries(spark):
    def who(x):
        import os

        if x > 0.7:
            raise ValueError("too large")
        return {"Metric": x, "pid": os.getpid()}

    result = lagom(who, search(40, searchspace=X), engine=SparkEngine(spark), verbose=0)

    assert result["failed"] > 3  # Spark would have given the job up at four failures of one task
    assert len({trial.metric_dict["pid"] for trial in result.trials if trial.metric_dict}) <= 2
    assert {trial.attempt for trial in result.trials} == {0}


def test_a_killed_worker_process_is_replaced_and_its_trial_runs_again(spark, tmp_path):
    folder = str(tmp_path)

    def deadly(x):
        import os
        import signal
        from pathlib import Path

        marker = Path(folder, str(x))
        if x > 0.5 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    result = lagom(deadly, search(8, searchspace=X), engine=SparkEngine(spark), verbose=0)

    assert result["num_trials"] == 8
    assert {trial.attempt for trial in result.trials if trial.params["x"] > 0.5} == {1}


def test_a_killed_executor_loses_no_trial(spark, tmp_path):
    folder = str(tmp_path)

    def deadly(x):
        import os
        import signal
        from pathlib import Path

        marker = Path(folder, "executor-killed")
        if x > 0.5 and not marker.exists():
            marker.touch()
            pid = os.getpid()
            while True:  # worker, Python task, its daemon, and at last the executor's JVM
                pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                if "CoarseGrainedExecutorBackend" in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)
                    os.kill(os.getpid(), signal.SIGKILL)  # it would go down with it, but might return before
        return x

    result = lagom(deadly, search(8, searchspace=X), engine=SparkEngine(spark), verbose=0)

    assert {trial.state for trial in result.trials} == {TrialState.FINISHED}
    assert len(result.trials) == 8
    assert max(trial.attempt for trial in result.trials) == 1
    assert children_of_executors() == []


@pytest.mark.parametrize("killed", ["the Python task", "the executor"])
def test_workers_that_start_together_are_all_replaced_where_one_is_killed(spark, tmp_path, killed):
    folder = str(tmp_path)

    def deadly(x, reporter):
        import os
        import signal
        import time
        from pathlib import Path

        marker = Path(folder, "killed")
        pid = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
        old = Path(folder, f"old-{pid}")
        if not marker.exists():
            old.touch()
            while len(list(Path(folder).glob("old-*"))) < 2:
                time.sleep(0.01)
            if x > 0.5:
                marker.touch()
                while killed == "the executor" and b"CoarseGrained" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                    pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                os.kill(pid, signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
        while old.exists() and marker.exists() and not reporter.preempted:
            time.sleep(0.01)  # only a task that was started after the loss finishes a trial
        return x

    config = search(8, searchspace=X, lost_limit=10, es_policy="none")
    result = lagom(deadly, config, engine=engine_with_all_slots(spark, barrier=True), verbose=0)

    assert [trial.state for trial in result.trials] == [TrialState.FINISHED] * 8
    assert [trial.final_metric for trial in result.trials] == [trial.params["x"] for trial in result.trials]
    assert max(trial.attempt for trial in result.trials) >= 1
    assert running_tasks(spark) == []
    assert children_of_executors() == []


def test_more_workers_that_start_together_than_there_are_slots_is_an_error(spark):
    with pytest.raises(EngineError, match="3 workers are to start at once"):
        lagom(lambda x: x, search(8, searchspace=X, num_workers=3), engine=SparkEngine(spark, barrier=True), verbose=0)


@pytest.mark.parametrize("warned", ["the executor", "the Python task"])
def test_an_executor_that_is_warned_gives_its_trial_time_to_save_and_loses_none(spark, tmp_path, warned):
    folder = str(tmp_path)

    def preempted(x, reporter):
        import os
        import signal
        from pathlib import Path

        reporter.broadcast(x)
        marker = Path(folder, "warned")
        if x > 0.5 and not marker.exists():
            marker.touch()
            task = pid = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
            while warned == "the executor" and b"CoarseGrained" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill(pid, signal.SIGTERM)
            while not reporter.preempted:
                pass
            Path(folder, f"saved-{task}").touch()
            return -1  # half trained
        return x

    config = search(8, searchspace=X, es_policy="none")
    result = lagom(preempted, config, engine=SparkEngine(spark), verbose=0)

    assert len(list(tmp_path.glob("saved-*"))) == 1
    assert {t.trial_id: t.final_metric for t in result.trials} == {t.trial_id: t.params["x"] for t in result.trials}
    assert sorted(trial.attempt for trial in result.trials) == [0] * 7 + [1]
    assert children_of_executors() == []


def test_an_experiment_that_fails_leaves_no_task_behind(spark):
    with pytest.raises(ExperimentFailedError):
        lagom(lambda x: 1 / 0, search(5, searchspace=X), engine=SparkEngine(spark), verbose=0)

    assert running_tasks(spark) == []
    assert children_of_executors() == []


def test_a_spark_table_is_written_before_the_workers_take_the_slots(spark):
    table = spark.range(1000).selectExpr("id", "id * 2 AS twice").repartition(3)

    def count(train_set):
        rows = train_set.to_table()
        return float(sum(rows["twice"].to_pylist()))

    result = lagom(count, BaseConfig(train_set=table), engine=SparkEngine(spark), verbose=0)

    assert result == {"test result": 999000.0}
    assert len(list(Path(result.experiment_dir, "data/train_set").glob("*.parquet"))) == 3


def test_slots_that_are_never_granted_end_in_an_error_that_says_what_the_cluster_offers(spark, tmp_path):
    folder = str(tmp_path)

    def hold(x, reporter):
        import time
        from pathlib import Path

        Path(folder, f"held-{x}").touch()
        while not Path(folder, "let-go").exists():
            time.sleep(0.01)
            reporter.broadcast(0.0)
        return x

    holder = threading.Thread(
        target=lagom,
        args=(hold, search(2, searchspace=X, es_policy="none")),
        kwargs={"engine": SparkEngine(spark), "verbose": 0},
    )
    holder.start()
    while len(list(tmp_path.glob("held-*"))) < 2:
        assert holder.is_alive()

    with pytest.raises(NoWorkersError, match=r"no worker was ready within 2 s. .*local-cluster") as caught:
        lagom(lambda: 1, engine=SparkEngine(spark, start_timeout_s=2), verbose=0)

    assert "slot" in str(caught.value)
    (tmp_path / "let-go").touch()
    holder.join()
    assert children_of_executors() == []


def test_more_cores_than_any_executor_has_is_an_error_before_anything_starts(spark):
    with pytest.raises(EngineError):
        lagom(lambda: 1, BaseConfig(resources_per_worker={"cpu": 64}), engine=SparkEngine(spark), verbose=0)
    assert not Path("maggy-runs").exists()


def test_a_session_is_started_where_there_is_none(tmp_path):
    script = (
        "from maggy import lagom, Searchspace\n"
        "def train(x):\n"
        "    return x\n"
        "result = lagom(map_fun=train, searchspace=Searchspace(x=('DOUBLE', [0.0, 1.0])), optimizer='randomsearch',\n"
        "               num_trials=5, engine='spark', verbose=0)\n"
        "from pyspark import SparkContext\n"
        "print(result['num_trials'], SparkContext.getOrCreate().master)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("SPARK_HOME", "PYSPARK_PYTHON")}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment
    )

    assert done.stdout.startswith("5 local["), done.stderr


def test_a_cluster_that_loses_job_after_job_still_finishes_as_long_as_trials_end_in_between(tmp_path):
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from maggy import lagom, Searchspace\n"
        "from maggy.engine.spark import SparkEngine\n"
        "from maggy.engine.spark_cluster import provide_java_for_spark\n"
        "from pyspark.sql import SparkSession\n"
        "provide_java_for_spark()\n"
        "session = SparkSession.builder.master('local[1]').config('spark.log.level', 'OFF').getOrCreate()\n"
        "folder = os.getcwd()\n"
        "def train(x):\n"
        "    marker = Path(folder, f'lost-{x}')\n"
        "    if not marker.exists():\n"
        "        marker.touch()\n"
        "        task = Path(f'/proc/{os.getppid()}/stat').read_text().rpartition(')')[2].split()[1]\n"
        "        os.kill(int(task), signal.SIGKILL)\n"  # Spark allows no failure here, so the whole job is lost
        "        signal.pause()\n"
        "    return x\n"
        "result = lagom(map_fun=train, searchspace=Searchspace(x=('INTEGER', [1, 8])), optimizer='gridsearch',\n"
        "               engine=SparkEngine(session), verbose=0)\n"
        "print(sorted(result['metric_list']), [trial.attempt for trial in result.trials])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_HOME"}
    environment["PYSPARK_PYTHON"] = sys.executable

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=150, env=environment
    )

    assert done.stdout == f"{[float(x) for x in range(1, 9)]} {[1] * 8}\n", done.stderr
