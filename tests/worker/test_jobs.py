"""Jobs that a trial has started elsewhere end with it."""

import threading

import pytest

from maggy.worker.jobs import Jobs

PATIENCE_S = 60


class Cluster:
    """Runs jobs until they are cancelled."""

    def __init__(self):
        self.running = []
        self.cancels = threading.Semaphore(0)

    def cancel(self):
        self.running.clear()
        self.cancels.release()


@pytest.fixture
def cluster():
    return Cluster()


def test_a_job_that_is_started_after_the_stop_is_cancelled_too(cluster):
    jobs = Jobs(cluster.cancel)
    cluster.running.append("first")
    jobs.cancel()
    assert cluster.cancels.acquire(timeout=PATIENCE_S)
    cluster.running.append("second")
    assert cluster.cancels.acquire(timeout=PATIENCE_S)
    assert jobs.cancelled and cluster.running == []
    jobs.end()


def test_what_is_left_running_is_cancelled_at_the_end_which_is_no_stop(cluster):
    jobs = Jobs(cluster.cancel)
    cluster.running.append("in a thread")
    jobs.end()
    assert cluster.running == [] and not jobs.cancelled


def test_after_the_end_nothing_is_cancelled_any_more(cluster):
    jobs = Jobs(cluster.cancel)
    jobs.cancel()
    jobs.end()
    cluster.running.append("of the next trial")
    jobs.cancel()
    assert cluster.running == ["of the next trial"]
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"maggy-cancel"})
