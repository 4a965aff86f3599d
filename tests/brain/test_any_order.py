"""Events in any order that the world can produce, and in some that it cannot: what must hold all the same."""

from __future__ import annotations

import itertools
from collections import deque

from brain.helpers import Saved, check_invariants
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from maggy.brain import Brain, Rules
from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.brain.commands import Ending

WORKERS, TRIALS = st.integers(0, 5), st.integers(0, 5)
ATTEMPTS = st.sampled_from([0, 0, 0, 1, 2])
STARTED = ev.DriverStarted(epoch=0, num_trials=5, lost_limit=2, error_limit=2, preempted_limit=3)


class AnyOrder(RuleBasedStateMachine):
    """Plays driver, workers and optimizer, and keeps books of its own about what was commanded."""

    asks = Bundle("asks")  # open questions to the optimizer

    def __init__(self) -> None:
        super().__init__()
        self.brain = Brain(Rules(patience_s=30, grace_s=10, retry_s=1))
        self.brain.handle(STARTED, 0.0)
        self.now = 0.0
        self.workers: set[int] = set()
        self.leases: dict[int, tuple[int, int]] = {}  # trial -> worker, attempt
        self.attempts: dict[int, int] = {}
        self.settled: set[int] = set()
        self.next_worker = self.next_trial = 0
        self.concluded = False

    # --- what can happen

    @rule(target=asks, seat=st.integers(0, 2), replace=st.booleans())
    def join(self, seat, replace):
        replaces = self.brain.occupant(seat) if replace else None
        self.workers.add(self.next_worker)
        self.workers.discard(replaces)
        event = ev.WorkerJoined(worker=self.next_worker, seat=seat, replaces=replaces)
        self.next_worker += 1
        return self.tell(event)

    @rule(target=asks, worker=WORKERS, preempted=st.booleans())
    def lose(self, worker, preempted):
        self.workers.discard(worker)
        return self.tell(ev.WorkerLost(worker=worker, reason="killed", preempted=preempted))

    @precondition(lambda self: self.next_worker >= 3)
    @rule(target=asks)
    def start_another_driver(self):
        if self.concluded:  # nobody was fenced any more
            self.leases = self.held()
        self.workers.clear()
        self.concluded = False
        return self.tell(STARTED)

    @rule(rest_s=st.sampled_from([0.5, 60.0]))
    def rest(self, rest_s):
        before = {number: self.brain._overdue_at(worker) for number, worker in self.brain.workers.items()}
        self.now += rest_s
        self.brain.rest(rest_s)
        assert {n: self.brain._overdue_at(worker) for n, worker in self.brain.workers.items()} == {
            number: at + rest_s for number, at in before.items()
        }

    @rule(target=asks, ask=consumes(asks))
    def suggest(self, ask):
        event = ev.Suggested(ask=ask, trial=self.next_trial, params={})
        self.next_trial += 1
        return self.tell(event)

    @rule(target=asks, ask=consumes(asks))
    def idle(self, ask):
        return self.tell(ev.Idled(ask=ask))

    @rule(ask=consumes(asks))
    def have_enough(self, ask):
        assert list(self.tell(ev.Exhausted(ask=ask)).values) == []

    @rule(trial=TRIALS, attempt=ATTEMPTS, awaits=st.sampled_from([None, 1]))
    def report(self, trial, attempt, awaits):
        event = ev.MetricsReported(trial=trial, attempt=attempt, steps=[1], values=[0.5], awaits=awaits)
        assert list(self.tell(event).values) == []

    @rule(trial=TRIALS, attempt=ATTEMPTS, stop=st.booleans())
    def judge(self, trial, attempt, stop):
        assert list(self.tell(ev.Judged(trial=trial, attempt=attempt, step=1, stop=stop)).values) == []

    @rule(target=asks, trial=TRIALS, attempt=ATTEMPTS)
    def finish(self, trial, attempt):
        return self.tell(ev.TrialFinished(trial=trial, attempt=attempt, metric=0.5))

    @rule(target=asks, trial=TRIALS, attempt=ATTEMPTS)
    def leave(self, trial, attempt):
        return self.tell(ev.TrialStopped(trial=trial, attempt=attempt, metric=0.5))

    @rule(target=asks, trial=TRIALS, attempt=ATTEMPTS, error=st.sampled_from(["KeyError", "ValueError"]))
    def fail(self, trial, attempt, error):
        if self.leases.get(trial, (None, None))[1] == attempt:
            del self.leases[trial]  # it has failed, or is tried again
        return self.tell(ev.TrialFailed(trial=trial, attempt=attempt, error=error, signature=error))

    @rule(trial=TRIALS, attempt=ATTEMPTS)
    def save(self, trial, attempt):
        assert list(self.tell(Saved(trial, attempt=attempt)).values) == []

    @rule(worker=WORKERS)
    def hear(self, worker):
        self.brain.heard(worker, self.now)

    @rule(worker=WORKERS)
    def hang_up(self, worker):
        self.brain.away(worker, self.now)

    @rule(target=asks, wait_s=st.sampled_from([0.5, 5.0, 20.0]))
    def let_time_pass(self, wait_s):
        self.now += wait_s
        due = self.brain.due(self.now)
        assert self.brain.deadline() > self.now or due, "a deadline that lies in the past says nothing"
        opened = []
        for event in due:
            if isinstance(event, ev.WorkerLost):
                self.workers.discard(event.worker)
            opened += self.tell(event).values
        return multiple(*opened)

    @precondition(lambda self: self.next_trial >= 3)
    @rule()
    def interrupt(self):
        assert list(self.tell(ev.Interrupted(reason="Ctrl-C")).values) == []

    # --- what was commanded

    def tell(self, event):
        """Hand an event to the brain and write its commands down; the asks among them."""
        opened = []
        over_before = self.concluded
        for command in self.brain.handle(event, self.now):
            assert not over_before or isinstance(command, do.Settle), f"{command} after the end"
            match command:
                case do.Ask():
                    opened.append(command.number)
                case do.Run():
                    assert command.worker in self.workers, "a trial was handed to nobody"
                    assert command.trial not in self.leases, "a trial was handed out twice"
                    assert command.worker not in [worker for worker, _ in self.leases.values()]
                    assert command.attempt == self.attempts.get(command.trial, -1) + 1
                    self.attempts[command.trial] = command.attempt
                    self.leases[command.trial] = command.worker, command.attempt
                case do.Fence():
                    assert self.leases.pop(command.trial) == (command.worker, command.attempt)
                case do.GoOn() | do.Stop():
                    assert self.leases[command.trial] == (command.worker, command.attempt)
                case do.Judge():
                    assert self.leases[command.trial][1] == command.attempt
                case do.Settle():
                    assert command.state.final
                    assert command.trial not in self.settled, "a trial has ended twice"
                    self.settled.add(command.trial)
                    self.leases.pop(command.trial, None)
                case do.Conclude():
                    assert not self.concluded
                    self.concluded = True
        return multiple(*opened)

    @invariant()
    def the_books_agree(self):
        check_invariants(self.brain)
        assert set(self.brain.workers) == self.workers
        assert self.brain.suggested == self.next_trial
        assert self.brain.ended.total() == len(self.settled)
        assert self.settled.isdisjoint(self.brain.live)
        assert self.concluded == (self.brain.ending is not None)
        assert self.concluded or self.held() == self.leases

    def held(self):
        """The leases as the brain has them."""
        live = self.brain.live.items()
        return {number: (trial.worker, trial.attempt) for number, trial in live if trial.worker is not None}


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(st.data())
@settings(deadline=None)
def test_an_experiment_whose_seats_are_filled_again_always_ends(data):
    rules = Rules(num_trials=data.draw(st.integers(1, 6)), lost_limit=2, alike_limit=2, retry_s=1.0)
    brain, now, trials, workers = Brain(rules), 0.0, itertools.count(), itertools.count()
    to_do: deque[ev.AnyEvent] = deque()
    running: list[do.Run] = []
    for _ in range(1000):
        if not to_do:
            now += 1.0
            to_do.extend(brain.due(now))
        while to_do:
            for command in brain.handle(to_do.popleft(), now):
                if isinstance(command, do.Ask):
                    answers = [ev.Suggested(ask=command.number, trial=next(trials), params={})]
                    if running:
                        answers.append(ev.Idled(ask=command.number))
                    to_do.append(data.draw(st.sampled_from(answers)))
                elif isinstance(command, do.Run):
                    running.append(command)
            check_invariants(brain)
        if brain.ending is not None:
            break
        if len(brain.workers) < 2:
            number = next(workers)
            to_do.append(ev.WorkerJoined(worker=number, seat=number))
        elif running:
            run = running.pop(data.draw(st.integers(0, len(running) - 1)))
            which = {"trial": run.trial, "attempt": run.attempt}
            ends = [
                ev.TrialFinished(**which, metric=0.5),
                ev.TrialFailed(**which, error="KeyError", signature="KeyError"),
                ev.WorkerLost(worker=run.worker, reason="killed"),
            ]
            to_do.append(data.draw(st.sampled_from(ends)))
    assert brain.ending in (Ending.COMPLETE, Ending.HOPELESS)
    assert brain.ending is Ending.HOPELESS or brain.ended.total() == rules.num_trials
