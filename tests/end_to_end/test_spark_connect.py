"""Experiments over Spark Connect: the cluster of the other tests, through its other door."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, lagom
from maggy.config import BaseConfig
from maggy.earlystop import AbstractEarlyStop
from maggy.engine.spark import SparkEngine
from maggy.errors import ConfigError, EngineError, NoWorkersError
from maggy.trial import TrialState

pytestmark = [pytest.mark.spark, pytest.mark.sessions]

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))


@pytest.fixture
def tasks(spark):
    """How many stages run on the cluster, asked through its classic session; none before and after each test."""
    tracker = spark.sparkContext.statusTracker()
    yield lambda: len(tracker.getActiveStageIds())
    while tracker.getActiveStageIds():  # a task that is killed takes some seconds to go
        time.sleep(0.05)


def over(connect, **settings):
    return SparkEngine(connect, driver_host="127.0.0.1", **settings)


class StopAtFour(AbstractEarlyStop):
    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        return to_check.trial_id if len(to_check.metric_history) == 4 else None


def test_a_search_on_two_workers_stops_trials_early_and_survives_a_killed_worker_and_a_killed_task(
    connect, tasks, tmp_path
):
    folder = str(tmp_path)

    def train(x, reporter):
        import os
        import signal
        import time
        from pathlib import Path

        me = Path(folder, f"worker-{os.getpid()}")
        me.touch()
        while len(list(Path(folder).glob("worker-*"))) < 2:  # both workers have a trial
            time.sleep(0.01)
        marker = Path(folder, f"killed-{x > 0.5}")
        if not marker.exists():
            marker.touch()
            task = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]
            os.kill(int(task) if x > 0.5 else os.getpid(), signal.SIGKILL)
            signal.pause()  # the guard needs a moment to follow
        for step in range(8):
            time.sleep(0.1)
            reporter.broadcast(x, step)
        return x

    config = search(6, searchspace=X, num_workers=2, es_policy=StopAtFour(), es_min=0, lost_limit=5)
    result = lagom(train, config, engine=over(connect), verbose=0)

    states = [trial.state for trial in result.trials]
    assert result["num_trials"] == 6 and set(states) == {TrialState.FINISHED, TrialState.STOPPED}
    assert sum(trial.attempt for trial in result.trials) >= 2
    assert [trial.final_metric for trial in result.trials] == [trial.params["x"] for trial in result.trials]
    assert {path.name for path in tmp_path.glob("killed-*")} == {"killed-True", "killed-False"}


def test_ctrl_c_ends_the_trials_and_frees_the_tasks_of_the_server(connect, tasks, tmp_path):
    folder, driver = str(tmp_path), os.getpid()

    def train(x):
        import os
        import signal
        import time
        from pathlib import Path

        Path(folder, f"{x}").touch()
        if len(list(Path(folder).glob("0.*"))) == 2:
            os.kill(driver, signal.SIGINT)
        time.sleep(600)

    began = time.monotonic()
    result = lagom(train, search(2, searchspace=X), engine=over(connect, slots=2), verbose=0)

    assert result.interrupted and result["num_trials"] == 0
    assert time.monotonic() - began < 300  # nobody has slept to the end
    while tasks():
        time.sleep(0.05)


def test_executors_that_do_not_know_the_drivers_name_end_it_with_an_error_that_says_so(connect, tasks, monkeypatch):
    known = socket.gethostbyname
    monkeypatch.setattr(socket, "gethostbyname", lambda host: known("localhost" if host == "driver.invalid" else host))
    engine = SparkEngine(connect, driver_host="driver.invalid", slots=1, start_timeout_s=60)

    with pytest.raises(
        EngineError, match=r"(?s)lost all workers: .*cannot reach the driver at driver\.invalid, port \d+: .*NAT"
    ):
        lagom(lambda: 1, engine=engine, verbose=0)


def test_without_a_worker_in_time_the_error_says_where_workers_connect_to_and_what_may_be_between(
    connect, tasks, tmp_path
):
    marker = tmp_path / "held"
    held = connect.range(0, 2, 1, 2)

    def hold(rows):
        import time
        from pathlib import Path

        Path(str(marker)).touch()
        time.sleep(600)
        yield from rows

    import threading

    def query():
        connect.addTag("holder")
        with pytest.raises(Exception, match="OPERATION_CANCELED"):
            held.mapInArrow(hold, "slot long").collect()

    holder = threading.Thread(target=query)
    holder.start()
    while not marker.exists():
        assert holder.is_alive()

    with pytest.raises(
        NoWorkersError,
        match=r"no worker was ready within 1 s\. .* at 127\.0\.0\.1 .*firewall or NAT.*lower num_workers",
    ):
        lagom(lambda: 1, BaseConfig(), engine=over(connect, slots=1, start_timeout_s=1), verbose=0)

    connect.interruptTag("holder")
    holder.join()


def test_over_connect_the_number_of_workers_has_to_be_said(connect):
    with pytest.raises(ConfigError, match=r"say how many workers there are to be \(num_workers\): Spark .* Connect"):
        lagom(lambda x: x, search(2, searchspace=X), engine=over(connect), verbose=0)


def test_a_session_of_connect_that_is_active_is_used_and_without_driver_host_the_error_says_how(connect_url, tmp_path):
    script = (
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from pyspark.sql import SparkSession\n"
        "from maggy import lagom\n"
        "from maggy.engine.spark import SparkEngine\n"
        "from maggy.errors import EngineError\n"
        "session = SparkSession.builder.remote(sys.argv[1]).getOrCreate()\n"
        "try:\n"
        "    lagom(lambda: 1.5, verbose=0)\n"
        "except EngineError as error:\n"
        "    print(error)\n"
        "print(lagom(lambda: 1.5, engine=SparkEngine(driver_host='127.0.0.1', slots=1), verbose=0))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, connect_url], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
    why, result = done.stdout.splitlines()
    assert why.startswith("over Spark Connect the workers on the executors connect to this program")
    assert "engine=SparkEngine(driver_host='<name or address of this machine>', slots=4)" in why
    assert result == "{'test result': 1.5}"


def test_trials_beside_a_session_of_connect_run_their_jobs_and_a_stop_cancels_those_of_its_trial(
    connect, tasks, tmp_path
):
    folder = str(tmp_path)

    def wait_for(begun, until):
        def task(rows):
            import time
            from pathlib import Path

            Path(begun).touch()
            while not Path(until).exists():
                time.sleep(0.01)
            yield from rows

        return connect.range(0, 1, 1, 1).mapInArrow(task, "slot long")

    def train(x):
        if x == 0:
            return float(connect.range(5).count())
        if x == 1:
            wait_for(f"{folder}/begun-1", f"{folder}/begun-2").collect()
            return x
        wait_for(f"{folder}/begun-2", f"{folder}/begun-1").collect()
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(f"{folder}/begun-3", f"{folder}/never").collect()

    space = Searchspace(x=("DISCRETE", [0, 1, 2]))
    config = search(3, searchspace=space, optimizer="gridsearch")
    result = lagom(train, config, engine=SparkEngine(connect, where="driver", slots=2), verbose=0)

    assert result.interrupted
    assert {trial.params["x"]: trial.final_metric for trial in result.trials}[0] == 5.0
    assert not Path(folder, "never").exists()
