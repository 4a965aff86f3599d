"""Seats in threads beside a session."""

from __future__ import annotations

import queue
import sys
import threading
from types import ModuleType

import pytest

from maggy.engine.spark import SparkEngine
from maggy.ticket import Ticket

pytestmark = [pytest.mark.spark, pytest.mark.sessions]


@pytest.fixture
def exits():
    return queue.Queue()


@pytest.fixture
def workers(spark, monkeypatch):
    """What is at work in the threads, by seat: pool and tags as Spark sees them; and the way out."""
    context, came, leave = spark.sparkContext, queue.Queue(), threading.Event()

    def enter(ticket, environment, mark_jobs):
        mark_jobs(f"trial-{ticket.seat}")
        came.put((context.getLocalProperty("spark.scheduler.pool"), sorted(context.getJobTags())))
        leave.wait(60)

    module = ModuleType("thread_entries")
    module.enter, module.came, module.leave = enter, came, leave
    monkeypatch.setitem(sys.modules, "thread_entries", module)
    yield module
    leave.set()


def tickets(number):
    return [
        Ticket(address="memory://1", experiment="exp", seat=seat, entry="thread_entries:enter")
        for seat in range(number)
    ]


def test_each_seat_is_a_thread_whose_jobs_have_a_pool_and_a_tag(spark, workers, exits):
    launched = SparkEngine(spark, where="driver").launch(tickets(3), {}, exits.put)

    seen = sorted(workers.came.get(timeout=60) for _ in range(3))
    assert seen == [(f"maggy-{seat}", [f"trial-{seat}"]) for seat in range(3)]
    assert exits.empty()
    workers.leave.set()
    assert exits.get(timeout=60) is None
    launched.stop(grace_s=60)
    assert exits.empty()


def test_a_thread_that_does_not_leave_is_told_of_and_left_alone(spark, workers, exits, caplog):
    launched = SparkEngine(spark, where="driver").launch(tickets(1), {}, exits.put)
    workers.came.get(timeout=60)

    launched.stop(grace_s=0)

    [record] = caplog.records
    assert record.message.startswith("maggy-seat-0: the training function neither returns nor broadcasts")
    workers.leave.set()
    assert exits.get(timeout=60) is None
