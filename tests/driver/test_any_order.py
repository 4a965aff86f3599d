"""Workers finish, fail, die, lose their connections and come back in any order: the experiment ends all the same."""

from __future__ import annotations

import tempfile
from collections import deque
from contextlib import closing

from brain.helpers import check_invariants
from driver.helpers import Listed, Stage
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.brain import Brain
from maggy.brain import events as ev
from maggy.wire.memory import MemoryLink
from maggy.wire.messages import (
    CheckpointSaved,
    Failed,
    Finished,
    FromDriver,
    Heartbeat,
    Metrics,
    ProcessEnded,
    Ready,
    Release,
    RunTrial,
    SupervisorHello,
    Welcome,
    WorkerHello,
)

TRIALS = 6


class Process:
    """Does what `maggy.worker.process.Worker` does, one step when it is told to."""

    def __init__(self, stage: Stage, holder: str, seat: int, number: int) -> None:
        self.number, self.released = number, False
        self._orders: deque[RunTrial] = deque()
        self._running: RunTrial | None = None
        self.link = MemoryLink(stage.listener.address, self._hear)
        self.link.send(WorkerHello(holder, seat, number, "node-a", 4711))
        self._saved = 0

    def step(self, how: str) -> None:
        if self._running is None:
            self._running = self._orders.popleft() if self._orders and not self.released else None
        if (order := self._running) is None:
            return
        if how == "report":
            self.link.send(Metrics(order.trial, order.attempt, [1], [0.5]))
            return
        if how == "save":
            self._saved += 1
            saved = CheckpointSaved(order.trial, order.attempt, self._saved, None, 1, 0.5)
            self.link.send(saved)
            return
        self._running = None
        if how == "finish":
            self.link.send(Finished(order.trial, order.attempt, 0.5))
        else:
            self.link.send(Failed(order.trial, order.attempt, "KeyError", "KeyError", "Traceback ..."))

    def _hear(self, message: FromDriver) -> None:
        if isinstance(message, Welcome):
            self.link.send(Ready())
        elif isinstance(message, RunTrial):
            self._orders.append(message)
        elif isinstance(message, Release):
            self.released = True


class Seat:
    """A supervisor and its process, and the line that both are on."""

    def __init__(self, stage: Stage, number: int) -> None:
        self._stage, self._number, self._holder = stage, number, f"h{number}"
        self._released = False
        self._link = MemoryLink(stage.listener.address, self._hear)
        self._link.send(SupervisorHello(self._holder, number, "node-a"))
        self._process = Process(stage, self._holder, number, 1)

    def do(self, what: str) -> None:
        match what:
            case "die":
                self._replace("killed")
            case "cut":
                self._link.cut()
                self._process.link.cut()
            case "mend":
                for link in (self._link, self._process.link):
                    link.cut()
                    link.mend()
            case "beat":
                self._link.send(Heartbeat())
            case _:
                self._process.step(what)
        if self._process.released and not self._released:
            self._replace("its process ended with exit code 0")

    def _replace(self, cause: str) -> None:
        dead = self._process
        dead.link.close()
        self._link.send(ProcessEnded(dead.number, cause, ""))
        self._process = Process(self._stage, self._holder, self._number, dead.number + 1)

    def _hear(self, message: FromDriver) -> None:
        self._released = self._released or isinstance(message, Release)


ACTIONS = st.sampled_from(
    ["finish", "finish", "finish", "report", "save", "save", "fail", "die", "cut", "mend", "beat"]
)


@given(
    st.lists(st.tuples(st.integers(0, 1), ACTIONS), max_size=30),
    st.sampled_from([0.0, 3600.0]),  # a connection that breaks is given up at once, or never
)
@settings(deadline=None)
def test_whatever_happens_to_workers_every_trial_ends_once_and_the_journal_tells_it_all(actions, grace_s):
    with tempfile.TemporaryDirectory() as folder:
        rules = {"grace_s": grace_s, "lost_limit": 3}
        stage = Stage(f"{folder}/run", Listed(*[{"lr": 0.1}] * TRIALS), rules=rules, num_trials=TRIALS)
        with closing(stage):
            seats = [Seat(stage, number) for number in range(2)]

            def play(number: int, action: str) -> None:
                seats[number].do(action)
                stage.turn()
                check_invariants(stage.brain)

            for number, action in actions:
                play(number, action)
            for number in range(2):
                play(number, "mend")
            for _ in range(20 * TRIALS):
                for number in range(2):
                    play(number, "beat")
                    play(number, "finish")
                if stage.driver.over.is_set():
                    break

            assert stage.driver.over.is_set(), "the experiment would never end"
            ended = [trial.trial_id for trial in stage.advisor.book.ended]
            assert len(set(ended)) == len(ended)
            if stage.driver.error is None:
                assert sorted(ended) == list(range(TRIALS))

            replayed = Brain(stage.brain.rules)
            last: dict[int, str] = {}
            for event in stage.events():
                if isinstance(event, ev.CheckpointSaved) and replayed.goes_on_from(event.trial, event.attempt):
                    last[event.trial] = (
                        f"{stage.folder.url}/trials/{event.trial}/checkpoints/{event.attempt}-{event.number}"
                    )
                replayed.handle(event, 0.0)
            for trial in stage.advisor.book.ended:
                assert (trial.checkpoint.url if trial.checkpoint else None) == last.get(trial.trial_id)
            assert replayed.ended == stage.brain.ended
            assert replayed.ending == stage.brain.ending
            assert {trial: live.attempt for trial, live in replayed.live.items()} == {
                trial: live.attempt for trial, live in stage.brain.live.items()
            }
