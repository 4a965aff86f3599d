"""What every engine must do."""

from __future__ import annotations

import signal
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maggy.config import HyperparameterOptConfig
from maggy.earlystop import ThresholdRule
from maggy.engine.base import Engine
from maggy.engine.cores import thread_limits
from maggy.errors import EngineError
from maggy.experiment import lagom
from maggy.result import Result
from maggy.searchspace import Searchspace
from maggy.testing.lobby import ERROR, PATIENCE_S, Lobby, Visitor, visit
from maggy.trial import TrialState


class EngineContract:
    """The suite for any engine. Say how yours is made."""

    def make(self) -> Engine:
        """Your engine; made once for each test, and may be the same one every time."""
        raise NotImplementedError

    # --- around each test

    def setup_method(self) -> None:
        self.engine = self.make()
        self.lobby = Lobby(self.engine.bind_host or "127.0.0.1")
        self._folder = tempfile.TemporaryDirectory(prefix="maggy-contract-")
        self.folder = Path(self._folder.name)

    def teardown_method(self) -> None:
        self.lobby.close()
        self._folder.cleanup()

    def search(
        self, num_trials: int, *, function: Callable[..., Any] | None = None, name: str = "run", **settings: Any
    ) -> Result:
        """An experiment on two workers whose trials visit the lobby."""
        config = HyperparameterOptConfig(
            num_trials,
            "randomsearch",
            Searchspace(x=("DOUBLE", [0.0, 1.0])),
            **{"seed": 1, "es_policy": "none", "num_workers": 2, "experiment_dir": self.folder / name, **settings},
        )
        return lagom(function or _visiting(self.lobby.address), config, engine=self.engine, verbose=0)

    @contextmanager
    def running(self, num_trials: int, **settings: Any) -> Iterator[Future[Result]]:
        """The same in the background; it has ended after the block."""
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(self.search, num_trials, **settings)
            try:
                yield running
                running.result(PATIENCE_S)
            finally:
                if not running.done():
                    self.lobby.close()  # the trials fail, and so the experiment ends

    # --- the tests

    def test_it_says_what_it_offers(self) -> None:
        assert self.engine.name
        slots = self.engine.slots({})
        assert slots is None or slots >= 1
        assert self.engine.describe().strip()

    def test_the_text_of_an_exception_arrives_and_the_next_trial_runs(self) -> None:
        with self.running(2) as running:
            self.lobby.next().tell("raise")
            self.lobby.next().tell("return")
        failed = [trial for trial in running.result().trials if trial.state is TrialState.FAILED]
        assert [trial.error for trial in failed] == [f"ValueError: {ERROR}"]
        assert running.result()["num_trials"] == 1

    def test_a_trial_that_is_not_worth_its_time_is_stopped(self) -> None:
        with self.running(2, es_policy=ThresholdRule(2.0), es_min=0, direction="max") as running:
            self.lobby.next().tell("return")
            self.lobby.next().tell("report")
        states = sorted(trial.state for trial in running.result().trials)
        assert states == sorted([TrialState.FINISHED, TrialState.STOPPED])

    def test_ctrl_c_keeps_what_has_finished(self) -> None:
        self.interrupt("return")

    def interrupt(self, order: str) -> list[Visitor]:
        """Press Ctrl-C when one trial has done as it was told and others run; who has come by."""
        seen: list[Visitor] = []

        def press() -> None:
            seen.append(self.lobby.next())
            seen[0].tell(order)
            seen.extend(self.lobby.next() for _ in range(min(2, self.engine.slots({}) or 2)))
            signal.pthread_kill(main.ident or 0, signal.SIGINT)

        main = threading.current_thread()
        assert main is threading.main_thread(), "run this suite in the main thread, which gets the signals"
        with ThreadPoolExecutor(1) as thread:
            pressed = thread.submit(press)
            result = self.search(50)
            pressed.result()
        assert result.interrupted
        assert [trial.params["x"] for trial in result.trials if trial.state is TrialState.FINISHED] == [seen[0].x]
        return seen


class WorkersContract(EngineContract):
    """The suite for an engine whose workers are processes, as those are of every engine that calls `ticket.enter()`.

    The engine has room for two workers of one core.
    """

    def kill_host(self, visitor: Visitor) -> None:
        """Kill with -9 what holds this worker's seat: an executor, a node, a worker of the cluster.

        To be overridden where there is such a thing, apart from the process of the tests. `visitor.holder` is the
        process in which the engine has called `ticket.enter()`.
        """
        raise unittest.SkipTest("the engine has nothing that could be lost with a worker")

    # --- seats

    def test_all_seats_are_filled_at_once_by_processes_that_keep_to_their_cores(self) -> None:
        with self.running(4, resources_per_worker={"cpu": 1}) as running:
            first = [self.lobby.next(), self.lobby.next()]
            for visitor in first:
                visitor.tell("return")
            second = [self.lobby.next(), self.lobby.next()]
            for visitor in second:
                visitor.tell("return")
        pids = {visitor.pid for visitor in first}
        assert len(pids) == 2
        assert pids == {visitor.pid for visitor in second}, "a worker gets one trial after the other"
        assert running.result()["num_trials"] == 4
        for visitor in first:
            assert thread_limits(1).items() <= visitor.environment.items()

    def test_a_trial_on_two_workers_runs_on_both_at_once(self) -> None:
        function = _ranked(self.lobby.address)
        with self.running(1, function=function, workers_per_trial=2, distributed="plain") as running:
            ranks = [self.lobby.next(), self.lobby.next()]
            for visitor in ranks:
                visitor.tell("return")
        assert sorted(visitor.rank for visitor in ranks) == [0, 1]
        assert len({visitor.pid for visitor in ranks}) == 2
        assert running.result()["metric_list"] == [ranks[0].x]

    def test_two_experiments_at_once_end_each_for_itself(self) -> None:
        with self.running(1, name="long", num_workers=1) as long:
            held = self.lobby.next()
            with self.running(1, name="short", num_workers=1) as short:
                self.lobby.next().tell("spawn")
            assert short.result()["num_trials"] == 1
            assert not long.done()
            held.tell("return")
        assert [trial.attempt for trial in long.result().trials] == [0]

    def test_a_worker_that_is_too_large_is_an_error_before_anything_starts(self) -> None:
        refused = False
        try:
            self.search(1, resources_per_worker={"cpu": 1_000_000})
        except EngineError:
            refused = True
        assert refused
        assert list(self.folder.iterdir()) == []

    def test_nothing_runs_any_more_when_it_has_ended(self) -> None:
        seen = self.interrupt("spawn")
        assert [visitor.has_gone() for visitor in seen] == [True] * len(seen)

    # --- losses

    def test_a_worker_process_that_is_killed_is_replaced_and_no_finished_trial_is_lost(self) -> None:
        self._check_loss(lambda visitor: visitor.tell("die"))

    def test_a_lost_host_is_made_up_for_and_no_finished_trial_is_lost(self) -> None:
        self._check_loss(self.kill_host)

    def _check_loss(self, kill: Callable[[Visitor], None]) -> None:
        with self.running(3) as running:
            victim, finished = self.lobby.next(), self.lobby.next()
            finished.tell("return")
            beside = self.lobby.next()  # in its place, so it has been recorded
            kill(victim)
            beside.tell("return")
            seen = [victim.x, finished.x, beside.x]
            for visitor in self.lobby.until(running.done):
                visitor.tell("return")
                seen.append(visitor.x)
        trials = running.result().trials
        assert {trial.state for trial in trials} == {TrialState.FINISHED}
        assert sorted(trial.params["x"] for trial in trials) == sorted(set(seen))
        assert seen.count(victim.x) == 2
        assert seen.count(finished.x) == 1
        assert {trial.params["x"]: trial.attempt for trial in trials}[victim.x] >= 1


def _visiting(address: tuple[str, int]) -> Callable[..., float]:
    def train(x: float, reporter: Any) -> float:
        return visit(address, x, reporter)

    return train


def _ranked(address: tuple[str, int]) -> Callable[..., float]:
    def train(x: float, reporter: Any, context: Any) -> float:
        return visit(address, x, reporter, context.rank)

    return train
