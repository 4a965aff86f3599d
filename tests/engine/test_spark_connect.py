"""Seats on executors that are reached over Spark Connect."""

from __future__ import annotations

import queue
import socket
import time

import pytest

from maggy.engine.spark import SparkEngine
from maggy.errors import ConfigError, EngineError
from maggy.ticket import Ticket

pytestmark = [pytest.mark.spark, pytest.mark.sessions]


@pytest.fixture(scope="module")
def remote(connect, entries):
    """The session, whose executors know the entries of these tests."""
    connect.addArtifacts(str(entries), pyfile=True)
    return connect


@pytest.fixture
def engine(remote):
    return SparkEngine(remote, driver_host="127.0.0.1")


@pytest.fixture
def exits():
    return queue.Queue()


def test_two_seats_are_filled_at_once_and_a_killed_process_comes_back(engine, desk, exits):
    launched = engine.launch(desk.tickets(2), {}, exits.put)
    first, second = desk.guests(2)
    assert (first.seat, second.seat) == (0, 1)
    assert first.executor != second.executor
    assert first.environment["OMP_NUM_THREADS"] == "1"  # spark.task.cpus is 1

    first.kill()
    again = desk.next_guest()

    assert (again.seat, again.attempt) == (0, 1)
    assert second.is_connected()
    assert exits.empty()
    again.dismiss()
    second.dismiss()
    launched.stop(grace_s=30)
    assert exits.get_nowait() is None


def test_workers_of_one_launch_that_are_killed_by_stop_are_not_those_of_the_other(engine, desk, exits, spark):
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
    while spark.sparkContext.statusTracker().getActiveStageIds():  # the server has its tasks back
        time.sleep(0.05)


def test_an_error_on_the_executor_is_told_without_the_frames_of_java(engine, desk, exits):
    engine.launch(desk.tickets(1, entry="fail"), {}, exits.put)
    reason = exits.get(timeout=60)

    assert isinstance(reason, EngineError)
    assert str(reason).startswith("Spark gave up the query that holds the workers. ")
    assert "ValueError: seat 0 is broken" in str(reason)
    assert "\tat " not in str(reason)


def test_where_maggy_is_not_installed_on_the_executors_the_error_says_so(engine, desk, exits):
    engine.launch(desk.tickets(1, entry="without_maggy"), {}, exits.put)

    assert "Maggy is not installed where the executors run: install it there" in str(exits.get(timeout=60))


def test_an_executor_that_cannot_reach_the_driver_says_so_at_once(engine, exits):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"tcp://127.0.0.1:{gone.getsockname()[1]}"
    engine.launch([Ticket(address=address, experiment="exp", seat=0)], {}, exits.put)
    reason = str(exits.get(timeout=60))

    port = address.rpartition(":")[2]
    assert (
        f"cannot reach the driver at 127.0.0.1, port {port}: [Errno 111] Connection refused. Is driver_host" in reason
    )
    assert "firewall or NAT" in reason


def test_the_driver_listens_at_the_address_that_the_user_names_and_nowhere_else(remote, engine):
    assert (engine.bind_host, engine.advertised_host) == ("127.0.0.1", "127.0.0.1")
    assert SparkEngine(remote, driver_host="localhost").advertised_host == "localhost"
    assert SparkEngine(remote, driver_host="localhost").bind_host == "127.0.0.1"
    with pytest.raises(EngineError, match=r"cannot listen at driver_host='192\.0\.2\.77'.*behind NAT there is none"):
        SparkEngine(remote, driver_host="192.0.2.77").bind_host  # noqa: B018
    with pytest.raises(EngineError, match=r"SparkEngine\(driver_host='<name or address of this machine>', slots=4\)"):
        SparkEngine(remote).bind_host  # noqa: B018


def test_the_number_of_workers_is_what_the_user_says(remote, engine):
    assert engine.slots({}) is None
    assert SparkEngine(remote, driver_host="127.0.0.1", slots=3).slots({}) == 3
    with pytest.raises(ConfigError, match="a worker takes what a task of the session takes"):
        engine.slots({"cpu": 2})


def test_what_does_not_go_together_is_refused(remote, spark):
    with pytest.raises(ConfigError, match="no barrier=True over Spark Connect"):
        SparkEngine(remote, driver_host="127.0.0.1", barrier=True).slots({})
    with pytest.raises(ConfigError, match="driver_host is for Spark Connect"):
        SparkEngine(spark, driver_host="127.0.0.1").slots({})
    with pytest.raises(ConfigError, match="this session knows its slots"):
        SparkEngine(spark, slots=2).slots({})
    with pytest.raises(ConfigError, match="where must be 'executors' or 'driver', not 'moon'"):
        SparkEngine(spark, where="moon")
    with pytest.raises(ConfigError, match="driver_host is about workers on executors"):
        SparkEngine(remote, where="driver", driver_host="127.0.0.1")
    with pytest.raises(ConfigError, match="slots must be at least 1, not 0"):
        SparkEngine(remote, driver_host="127.0.0.1", slots=0)


def test_the_driver_waits_a_minute_at_most_for_the_first_worker_unless_told_otherwise(remote, spark, engine):
    assert engine.start_timeout_s == 60
    assert SparkEngine(remote, driver_host="127.0.0.1", start_timeout_s=5).start_timeout_s == 5
    assert SparkEngine(spark).start_timeout_s == 120
