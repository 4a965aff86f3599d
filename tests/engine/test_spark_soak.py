"""What the small cluster of the other tests cannot show: tasks of other sizes, GPUs, executors on demand, twins."""

from __future__ import annotations

import json
import sys

import pytest
from spark_fixture import SMALL_JVM

pytestmark = [pytest.mark.spark, pytest.mark.soak]


HOLD_SEATS = """
import json
import sys
from pyspark.sql import SparkSession
from maggy.engine.spark import SparkEngine
from maggy.engine.spark_cluster import provide_java_for_spark
from maggy.ticket import Ticket

address, entries, seats, resources, settings = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
provide_java_for_spark()
builder = SparkSession.builder
for key, value in settings.items():
    builder = builder.config(key, value)
session = builder.getOrCreate()
session.sparkContext.addPyFile(entries)
engine = SparkEngine(session)
print(engine.slots(resources), flush=True)
tickets = [Ticket(address=address, experiment="exp", seat=n, entry="spark_entries:report") for n in range(seats)]
launched = engine.launch(tickets, resources, lambda reason: print(reason, flush=True))
launched.stop(grace_s=120)
print("stopped", flush=True)
sys.stdin.readline()
session.stop()
"""


@pytest.fixture
def hold_seats(fresh_python, desk, entries, spark_home):
    """Start a Spark with these settings and fill `seats` with workers of `resources`, until the desk dismisses them."""

    def start(master, seats, resources, **settings):
        settings = {key.replace("__", "."): value for key, value in settings.items()} | {
            "spark.master": master,
            "spark.driver.extraJavaOptions": SMALL_JVM,
            "spark.executor.extraJavaOptions": SMALL_JVM,
            "spark.executor.memory": "512m",
            "spark.log.level": "OFF",
            "spark.ui.enabled": "false",
        }
        arguments = [desk.address, str(entries), *map(json.dumps, (seats, resources, settings))]
        environment = {
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_HOME": str(spark_home),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        return fresh_python(HOLD_SEATS, *arguments, **environment)

    return start


def test_workers_of_two_cores_fill_an_executor_of_four_cores_twice(hold_seats, desk):
    program = hold_seats("local-cluster[1,4,1024]", 2, {"cpu": 2})
    assert program.next_line() == "2"

    guests = desk.guests(2)
    assert guests[0].executor == guests[1].executor
    assert [guest.environment["OMP_NUM_THREADS"] for guest in guests] == ["2", "2"]
    for guest in guests:
        guest.dismiss()
    assert program.printed() == ["None", "stopped"]


@pytest.mark.parametrize(("gpus", "amount"), [(["4", "7"], 1), (["4"], 0.5)], ids=["one each", "a shared one"])
def test_each_worker_sees_the_gpu_that_spark_gave_to_its_task(hold_seats, desk, tmp_path, gpus, amount):
    discovery = tmp_path / "discover"
    discovery.write_text(f"#!/bin/sh\necho '{json.dumps({'name': 'gpu', 'addresses': gpus})}'\n")
    discovery.chmod(0o755)
    program = hold_seats(
        "local-cluster[1,3,1024]",
        2,
        {"gpu": amount},
        spark__worker__resource__gpu__amount=str(len(gpus)),
        spark__worker__resource__gpu__discoveryScript=str(discovery),
        spark__executor__resource__gpu__amount=str(len(gpus)),
    )
    assert program.next_line() == "2"  # the third core has no GPU

    guests = desk.guests(2)
    assert sorted(guest.environment["CUDA_VISIBLE_DEVICES"] for guest in guests) == sorted(gpus * (2 // len(gpus)))
    for guest in guests:
        guest.dismiss()
    assert program.printed() == ["None", "stopped"]


def test_executors_that_come_on_demand_count_up_to_their_maximum(hold_seats, desk):
    program = hold_seats(
        "local-cluster[2,1,1024]",
        2,
        {},
        spark__dynamicAllocation__enabled="true",
        spark__dynamicAllocation__shuffleTracking__enabled="true",
        spark__dynamicAllocation__maxExecutors="2",
    )
    assert program.next_line() == "2"  # although there is none yet

    guests = desk.guests(2)
    assert guests[0].executor != guests[1].executor
    for guest in guests:
        guest.dismiss()
    assert program.printed() == ["None", "stopped"]


def test_a_barrier_stage_and_dynamic_allocation_exclude_each_other(fresh_python):
    program = fresh_python(
        """
        from pyspark.sql import SparkSession
        from maggy.engine.spark import SparkEngine
        from maggy.engine.spark_cluster import provide_java_for_spark
        from maggy.errors import EngineError

        provide_java_for_spark()
        builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        builder.config("spark.dynamicAllocation.enabled", "true").getOrCreate()
        try:
            SparkEngine(barrier=True).slots({})
        except EngineError as error:
            print(error)
        """
    )
    assert program.printed() == [
        "Spark has no barrier stages with dynamic allocation: leave out barrier=True, or start the session with "
        "spark.dynamicAllocation.enabled=false."
    ]


def test_a_twin_by_speculation_that_nobody_dismisses_is_gone_when_stop_returns(hold_seats, desk, standalone):
    program = hold_seats(
        standalone,
        2,
        {},
        spark__cores__max="2",
        spark__speculation="true",
        spark__speculation__interval="100ms",
        spark__speculation__minTaskRuntime="100ms",
        spark__speculation__multiplier="1.0",
        spark__speculation__quantile="0.5",
    )
    assert program.next_line() == "2"
    first, second = desk.guests(2)

    first.dismiss()  # its slot is free, on another host than the other task, which now counts as slow
    twin = desk.next_guest()
    assert (twin.seat, twin.attempt) == (1, 1)
    assert second.is_connected()

    second.dismiss()
    assert program.next_line() == "None"
    assert program.next_line() == "stopped"
    assert twin.has_died()
    assert not twin.is_connected()
    assert program.printed() == []
