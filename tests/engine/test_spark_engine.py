from __future__ import annotations

import queue
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from maggy.assembly import find_engine
from maggy.engine.spark import SparkEngine
from maggy.engine.spark_cluster import java_message, spark_is_active
from maggy.errors import ConfigError, EngineError, UnknownNameError

pytestmark = pytest.mark.spark


@pytest.fixture
def session(spark, entries):
    """The cluster of the test run: two executors with one core each, which know the entries of these tests."""
    spark.sparkContext.addPyFile(str(entries))
    yield spark
    assert spark.sparkContext.statusTracker().getActiveStageIds() == []


@pytest.fixture
def exits():
    """What engines said through `on_exit`, in order."""
    return queue.Queue()


# --- seats ------------------------------------------------------------------------------------


def test_two_seats_are_filled_at_once_in_separate_processes_of_separate_executors(session, desk, exits):
    engine = SparkEngine(session)
    launched = engine.launch(desk.tickets(2), {}, exits.put)
    first, second = desk.guests(2)

    assert (first.seat, second.seat) == (0, 1)
    assert first.pid != second.pid
    assert first.executor != second.executor
    assert first.environment["OMP_NUM_THREADS"] == "1"  # spark.task.cpus is 1
    assert "CUDA_VISIBLE_DEVICES" not in first.environment
    assert not first.together

    first.dismiss()
    second.dismiss()
    launched.stop(grace_s=30)
    assert exits.get_nowait() is None
    assert exits.empty()


def test_a_killed_python_process_comes_back_to_its_seat_and_the_other_one_does_not_notice(session, desk, exits):
    engine = SparkEngine(session)
    launched = engine.launch(desk.tickets(2), {}, exits.put)
    first, second = desk.guests(2)

    first.kill()
    again = desk.next_guest()

    assert (again.seat, again.attempt) == (0, 1)
    assert again.pid != first.pid
    assert second.is_connected()
    assert exits.empty()
    again.dismiss()
    second.dismiss()
    launched.stop(grace_s=30)
    assert exits.get_nowait() is None


@pytest.mark.parametrize("engines", [1, 2])
def test_two_experiments_share_one_session_from_two_threads_on_one_engine_or_on_two(session, desk, engines):
    first = SparkEngine(session)
    second = first if engines == 1 else SparkEngine(session)

    def experiment(engine, name):
        exits = queue.Queue()
        return engine.launch(desk.tickets(1, experiment=name), {}, exits.put), exits

    with ThreadPoolExecutor(2) as threads:
        (launched_a, exits_a), (launched_b, exits_b) = threads.map(experiment, [first, second], ["a", "b"])
    guests = {guest.experiment: guest for guest in desk.guests(2)}

    guests["a"].dismiss()
    launched_a.stop(grace_s=30)
    assert exits_a.get_nowait() is None
    assert guests["b"].is_connected()  # one experiment ends, the other goes on
    assert exits_b.empty()

    guests["b"].dismiss()
    launched_b.stop(grace_s=30)
    assert exits_b.get_nowait() is None


def test_workers_of_one_launch_that_are_killed_by_stop_are_not_those_of_the_other_launch(session, desk, exits):
    engine = SparkEngine(session)
    staying = engine.launch(desk.tickets(1, experiment="staying"), {}, exits.put)
    stubborn = engine.launch(desk.tickets(1, entry="never_leave", experiment="stubborn"), {}, lambda reason: None)
    guests = {guest.experiment: guest for guest in desk.guests(2)}

    stubborn.stop(grace_s=0)

    assert guests["stubborn"].has_died()
    assert guests["staying"].is_connected()
    assert exits.empty()
    guests["staying"].dismiss()
    staying.stop(grace_s=30)
    assert exits.get_nowait() is None


def test_a_seat_that_can_never_be_filled_ends_with_the_python_error_and_the_engine_can_launch_again(
    session, desk, exits
):
    engine = SparkEngine(session)
    engine.launch(desk.tickets(1, entry="fail"), {}, exits.put)
    reason = exits.get(timeout=60)

    assert isinstance(reason, EngineError)
    assert str(reason).startswith(f"Spark gave up the job that holds the workers, which run {sys.executable!r} ")
    assert "ValueError: seat 0 is broken" in str(reason)
    assert "\tat " not in str(reason)

    launched = engine.launch(desk.tickets(1), {}, exits.put)
    guest = desk.next_guest()
    assert exits.empty()
    guest.dismiss()
    launched.stop(grace_s=30)
    assert exits.get_nowait() is None


def test_the_secret_key_reaches_the_worker_and_nothing_that_spark_shows(session, desk, exits):
    engine = SparkEngine(session)
    launched = engine.launch(desk.tickets(1), {}, exits.put)
    guest = desk.next_guest()

    assert guest.secret_key == "s3cret"
    assert guest.properties["spark.job.description"] == "Maggy experiment exp"
    assert guest.properties["spark.jobGroup.id"].startswith("maggy-")
    assert "s3cret" not in str(guest.properties)
    guest.dismiss()
    launched.stop(grace_s=30)


def test_workers_stay_in_the_scheduler_pool_that_the_user_chose(session, desk, exits):
    session.sparkContext.setLocalProperty("spark.scheduler.pool", "night")
    try:
        engine = SparkEngine(session)
        launched = engine.launch(desk.tickets(1), {}, exits.put)
    finally:
        session.sparkContext.setLocalProperty("spark.scheduler.pool", None)
    guest = desk.next_guest()

    assert guest.properties["spark.scheduler.pool"] == "night"
    guest.dismiss()
    launched.stop(grace_s=30)


# --- all at once or none ----------------------------------------------------------------------


def test_in_a_barrier_stage_all_go_down_with_one_and_the_next_launch_fills_all_seats(session, desk, exits):
    engine = SparkEngine(session, barrier=True)
    engine.launch(desk.tickets(2), {}, exits.put)
    killed, other = desk.guests(2)
    assert (killed.together, other.together) == (True, True)

    killed.kill()
    reason = exits.get(timeout=60)

    assert isinstance(reason, EngineError)
    assert "Could not recover from a failed barrier ResultStage" in str(reason)
    assert (killed.has_died(), other.has_died()) == (True, True)
    launched = engine.launch(desk.tickets(2), {}, exits.put)
    for guest in desk.guests(2):
        guest.dismiss()
    launched.stop(grace_s=30)
    assert exits.get_nowait() is None


def test_more_workers_than_slots_that_are_to_start_at_once_are_refused(session, desk, exits):
    engine = SparkEngine(session, barrier=True)
    assert engine.slots({}) == 2
    with pytest.raises(
        EngineError,
        match=r"3 workers are to start at once \(barrier=True\), and there is room for 2: Spark .* Lower num_w",
    ):
        engine.launch(desk.tickets(3), {}, exits.put)
    assert exits.empty()


def test_slots_that_are_gone_meanwhile_are_waited_for_and_then_missed(session, desk, exits):
    engine = SparkEngine(session, barrier=True, start_timeout_s=0.5)
    engine.launch(desk.tickets(3), {}, exits.put)  # nobody has asked for slots before
    assert str(exits.get(timeout=60)) == (
        "3 workers are to start at once (barrier=True), and for 0.5 s there was no room for more than 2"
    )


def test_the_wait_for_slots_ends_at_once_when_the_end_is_asked_for(session, desk, exits):
    launched = SparkEngine(session, barrier=True).launch(desk.tickets(3), {}, exits.put)
    launched.stop(grace_s=30)
    assert exits.get_nowait() is None


# --- the end ----------------------------------------------------------------------------------


def test_a_worker_that_never_leaves_is_killed_after_the_grace_and_is_gone_when_stop_returns(session, desk, exits):
    engine = SparkEngine(session)
    launched = engine.launch(desk.tickets(2, entry="never_leave"), {}, exits.put)
    guests = desk.guests(2)

    launched.stop(grace_s=0.1)

    assert [guest.has_died() for guest in guests] == [True, True]
    assert [guest.is_connected() for guest in guests] == [False, False]
    assert exits.get_nowait() is None  # it was asked for
    assert exits.empty()


def test_stop_right_after_launch_leaves_nothing_behind(session, desk, exits):
    engine = SparkEngine(session)
    launched = engine.launch(desk.tickets(2, entry="never_leave"), {}, exits.put)

    launched.stop(grace_s=0)

    assert exits.get_nowait() is None
    assert exits.empty()


def test_stop_may_be_called_again(session, desk, exits):
    launched = SparkEngine(session).launch(desk.tickets(1), {}, exits.put)
    desk.next_guest().dismiss()

    launched.stop(grace_s=30)
    launched.stop(grace_s=0)

    assert exits.get_nowait() is None
    assert exits.empty()


# --- what the cluster offers ------------------------------------------------------------------


def test_slots_are_those_of_the_executors_and_a_worker_larger_than_any_executor_is_an_error(session):
    engine = SparkEngine(session)

    assert engine.slots({}) == 2
    assert engine.slots({"cpu": 1}) == 2
    assert engine.slots({"cpu": 0.5}) == 2  # tasks take whole cores
    with pytest.raises(EngineError, match=r"a worker needs 2 cores, and no executor is that large: Spark .* slots: 2"):
        engine.slots({"cpu": 2})
    with pytest.raises(EngineError, match=r"(?s)1 core and 1 GPU.*spark\.executor\.resource\.gpu\.amount"):
        engine.slots({"gpu": 1})
    with pytest.raises(ConfigError, match="Spark knows 'cpu' and 'gpu', and not 'memory'"):
        engine.slots({"memory": 4})


def test_the_driver_listens_where_sparks_own_driver_does(session):
    engine = SparkEngine(session)

    assert engine.bind_host == "127.0.0.1"
    assert engine.advertised_host == "localhost"  # as Spark tells its executors


def test_describe_says_what_there_is(session):
    assert SparkEngine(session).describe() == (
        f"Spark {session.version} at local-cluster[2,1,1024]: 2 executors with 512m each; slots: 2 of 1 core; "
        f"dynamic allocation: off; workers run {sys.executable}"
    )


def test_without_a_session_the_active_one_is_used(session):
    assert spark_is_active()
    assert SparkEngine().describe() == SparkEngine(session).describe()


def test_a_session_can_be_given_in_place_of_an_engine_and_anything_else_is_no_engine(session):
    engine = find_engine(session)
    assert isinstance(engine, SparkEngine)
    assert engine.describe() == SparkEngine(session).describe()
    with pytest.raises(UnknownNameError, match="Known: 'local', 'spark', 'dask', 'ray', 'inline'"):
        find_engine(session.sparkContext)


def test_what_is_no_session_is_refused():
    with pytest.raises(EngineError, match="SparkEngine takes a SparkSession, not object"):
        SparkEngine(object()).slots({})


def test_a_cluster_of_no_cores_is_refused():
    with pytest.raises(ConfigError, match="cores must be at least 1, not 0"):
        SparkEngine(cores=0)


def test_a_message_of_spark_loses_its_java_frames_and_keeps_the_python_traceback():
    text = (
        "An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.\n"
        ": org.apache.spark.SparkException: Job aborted due to stage failure: Traceback (most recent call last):\n"
        '  File "train.py", line 3, in f\n'
        "ValueError: bad\n\n"
        "\tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:561)\n"
        "\t... 3 more\n\n"
        "Driver stacktrace:\n\tat org.apache.spark.scheduler.DAGScheduler.abortStage(DAGScheduler.scala:1)"
    )

    assert java_message(RuntimeError(text)) == (
        'Job aborted due to stage failure: Traceback (most recent call last):\n  File "train.py", line 3, in f\n'
        "ValueError: bad"
    )


# --- a Spark of its own, in another process ---------------------------------------------------


def test_without_any_session_a_local_cluster_is_started_and_used_again(desk, fresh_python):
    process = fresh_python(
        """
        import sys
        from maggy.engine.spark import SparkEngine
        from maggy.errors import EngineError
        from maggy.ticket import Ticket

        engine = SparkEngine(cores=3)
        print(engine.describe().split(" at ")[1])
        print(engine.bind_host, engine.slots({}), engine.slots({"cpu": 2}))
        for too_much in ({"cpu": 4}, {"gpu": 1}):
            try:
                engine.slots(too_much)
            except EngineError as error:
                print(error)
        tickets = [Ticket(address=sys.argv[1], experiment="exp", seat=0, entry="spark_entries:report")]
        launched = engine.launch(tickets, {"cpu": 2}, print)
        launched.stop(grace_s=60)
        print(SparkEngine(cores=1).slots({}))
        """,
        desk.address,
    )
    guest = desk.next_guest()
    assert guest.environment["OMP_NUM_THREADS"] == "2"
    guest.dismiss()

    offer = (
        f"local[3,4]: in the driver's JVM; slots: 3 of 1 core; dynamic allocation: off; workers run {sys.executable}"
    )
    described, slots, no_cores, no_gpu, ended, slots_again = process.printed()
    assert described == offer
    assert slots == "127.0.0.1 3 1"
    assert no_cores.startswith("a worker needs 4 cores, and no executor is that large: Spark")
    assert no_gpu.startswith("a Spark master 'local[3,4]' cannot assign GPUs to its tasks. Use engine='local'")
    assert ended == "None"
    assert slots_again == "3"


def test_a_master_that_was_chosen_outside_of_the_program_is_kept(fresh_python):
    process = fresh_python(
        "from maggy.engine.spark import SparkEngine; print(SparkEngine(cores=7).describe())",
        PYSPARK_SUBMIT_ARGS="--master local[2,3] pyspark-shell",
    )

    (described,) = process.printed()
    assert " at local[2,3]: in the driver's JVM; slots: 2 of 1 core" in described


def test_where_spark_allows_no_failure_a_killed_worker_ends_the_job_and_the_next_launch_fills_all_seats(
    desk, fresh_python
):
    process = fresh_python(
        """
        import os
        import queue
        import sys
        from pyspark.sql import SparkSession
        from maggy.engine.spark import SparkEngine
        from maggy.engine.spark_cluster import provide_java_for_spark
        from maggy.ticket import Ticket

        provide_java_for_spark()
        os.environ["PYSPARK_PYTHON"] = sys.executable
        session = SparkSession.builder.master("local[2]").config("spark.log.level", "OFF").getOrCreate()
        engine, exits = SparkEngine(session), queue.Queue()
        tickets = [
            Ticket(address=sys.argv[1], experiment="exp", seat=seat, entry="spark_entries:report") for seat in (0, 1)
        ]
        launched = engine.launch(tickets, {}, exits.put)
        print(exits.get())
        launched = engine.launch(tickets, {}, exits.put)
        launched.stop(grace_s=60)
        print(exits.get_nowait(), exits.empty())
        """,
        desk.address,
    )
    killed, cut_off = desk.guests(2)
    killed.kill()
    assert killed.has_died()
    again = desk.guests(2)  # only after `on_exit`
    assert not cut_off.is_connected()  # which comes when nobody is left
    for guest in again:
        guest.dismiss()

    reason, *_, last = process.printed()
    assert reason.startswith("Spark gave up the job that holds the workers")
    assert "Job aborted due to stage failure: Task " in reason
    assert last == "None True"


def test_a_session_that_kills_workers_for_being_quiet_is_refused(fresh_python):
    process = fresh_python(
        """
        from pyspark.sql import SparkSession
        from maggy.engine.spark import SparkEngine
        from maggy.engine.spark_cluster import provide_java_for_spark
        from maggy.errors import EngineError

        provide_java_for_spark()
        builder = SparkSession.builder.master("local[1]").config("spark.python.worker.killOnIdleTimeout", "true")
        session = builder.config("spark.python.worker.idleTimeoutSeconds", "30s").getOrCreate()
        try:
            SparkEngine(session).slots({})
        except EngineError as error:
            print(error)
        """
    )

    assert process.printed() == [
        "this Spark session kills Python workers that send it nothing for 30 s, and Maggy's workers never do. Start it "
        "with spark.python.worker.killOnIdleTimeout=false, or with spark.python.worker.idleTimeoutSeconds=0."
    ]


def test_an_engine_finds_the_next_session_after_its_first_one_was_stopped(fresh_python):
    process = fresh_python(
        """
        import logging
        import sys
        from pyspark.sql import SparkSession
        from maggy.engine.spark import SparkEngine
        from maggy.engine.spark_cluster import provide_java_for_spark
        from maggy.errors import EngineError

        provide_java_for_spark()
        builder = SparkSession.builder.config("spark.log.level", "OFF").config("spark.ui.enabled", "false")
        first = builder.master("local[2]").getOrCreate()
        found, given = SparkEngine(), SparkEngine(first)
        print(found.slots({}), given.slots({}))
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        print(SparkEngine(where="driver").slots({}))

        first.sparkContext._jsc.stop()  # Java's side has stopped, and Python's does not know yet
        for engine in (found, given):
            try:
                engine.slots({})
            except EngineError as error:
                print(error)

        first.stop()
        builder.master("local[1]").getOrCreate()
        print(found.slots({}))
        try:
            given.slots({})
        except EngineError as error:
            print(error)
        """
    )

    assert process.printed() == [
        "2 2",
        "trials will wait for each other's Spark jobs: start the session with spark.scheduler.mode=FAIR, and they "
        "share the executors",
        "2",
        "the active Spark session is stopping; wait for its stop() to return, and try again.",
        "the Spark session given to SparkEngine is stopped; start another one.",
        "1",
        "the Spark session given to SparkEngine is stopped; start another one.",
    ]


def test_a_launch_into_a_session_that_was_stopped_meanwhile_is_an_error_and_starts_no_other_spark(fresh_python):
    process = fresh_python(
        """
        from pyspark import SparkContext
        from maggy.engine.spark import SparkEngine
        from maggy.errors import EngineError
        from maggy.ticket import Ticket

        engine = SparkEngine(cores=1)
        print(engine.slots({}))
        SparkContext.getOrCreate().stop()
        try:
            engine.launch([Ticket(address="tcp://127.0.0.1:1", experiment="exp", seat=0)], {}, print)
        except EngineError as error:
            print(error)
        print(SparkContext._active_spark_context)
        print(engine.slots({}))
        """
    )

    assert process.printed() == [
        "1",
        "the Spark session of the workers was stopped; start another one.",
        "None",
        "1",
    ]
