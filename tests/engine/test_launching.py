"""What is launched for an experiment, and again, until its end is asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from maggy.engine.base import Engine, Launched
from maggy.launching import _Launch
from maggy.ticket import Ticket

TICKETS = [Ticket(address="tcp://127.0.0.1:1", experiment="exp", seat=0)]


class Stoppable(Launched):
    def __init__(self):
        self.graces_s = []

    def stop(self, grace_s):
        self.graces_s.append(grace_s)


class Fragile(Engine):
    """Loses its workers whenever a test calls `on_exit`."""

    name = "fragile"
    bind_host = "127.0.0.1"

    def __init__(self):
        self.launched = []

    def slots(self, resources):
        return 1

    def launch(self, tickets, resources, on_exit):
        self.on_exit = on_exit
        self.launched.append(Stoppable())
        return self.launched[-1]

    def describe(self):
        return "fragile"


class Verdicts:
    """The part of a driver that hears about launches."""

    def __init__(self):
        self.over, self.errors = threading.Event(), []
        self.trials_ended = 0

    def fail(self, error):
        self.errors.append(error)


@pytest.fixture
def driver():
    return Verdicts()


def test_all_that_was_launched_is_stopped_also_what_made_up_for_lost_workers(driver):
    engine = Fragile()
    launch = _Launch(engine, TICKETS, {}, driver)
    launch.start()
    engine.on_exit(None)
    engine.on_exit(None)

    launch.stop(grace_s=3.0)

    assert [launched.graces_s for launched in engine.launched] == [[3.0], [3.0], [3.0]]
    assert driver.errors == []


def test_the_fourth_loss_of_all_workers_ends_the_experiment(driver):
    engine = Fragile()
    _Launch(engine, TICKETS, {}, driver).start()
    for _ in range(4):
        engine.on_exit(RuntimeError("gone"))

    assert len(engine.launched) == 4  # the first one, and three to make up for it
    assert [str(error) for error in driver.errors] == ["the fragile engine lost all workers: gone"]


def test_an_engine_that_fails_again_and_again_is_launched_again_as_long_as_trials_end_in_between(driver):
    engine = Fragile()
    _Launch(engine, TICKETS, {}, driver).start()
    for _ in range(20):
        for _ in range(3):
            engine.on_exit(RuntimeError("gone"))
        driver.trials_ended += 1

    assert len(engine.launched) == 61
    assert driver.errors == []


def test_workers_that_are_lost_once_the_end_was_asked_for_are_not_made_up_for(driver):
    engine = Fragile()
    launch = _Launch(engine, TICKETS, {}, driver)
    launch.start()
    launch.stop(grace_s=0.0)

    engine.on_exit(RuntimeError("gone"))

    assert len(engine.launched) == 1
    assert driver.errors == []


def test_what_is_being_launched_again_while_the_end_is_asked_for_is_stopped_too(driver):
    launching, go_on = threading.Event(), threading.Event()

    class Slow(Fragile):
        def launch(self, tickets, resources, on_exit):
            if self.launched:
                launching.set()
                go_on.wait()
            return super().launch(tickets, resources, on_exit)

    engine = Slow()
    launch = _Launch(engine, TICKETS, {}, driver)
    launch.start()
    with ThreadPoolExecutor(2) as threads:
        threads.submit(engine.on_exit, None)
        launching.wait()
        stopping = threads.submit(launch.stop, 3.0)
        go_on.set()
        stopping.result()

    assert [launched.graces_s for launched in engine.launched] == [[3.0], [3.0]]
