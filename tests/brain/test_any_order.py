"""Events in any order that the world can produce, and in some that it cannot: what must hold all the same."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import Any, ClassVar

from brain.helpers import Saved, check_invariants
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from maggy.brain import Brain, Rules
from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.brain.commands import Ending
from maggy.trial import TrialState

WORKERS, TRIALS = st.integers(0, 5), st.integers(0, 5)
AGES = st.sampled_from([0, 0, 0, 0, 1, -1])  # how many attempts ago something was said
LIMITS = {"num_trials": 5, "lost_limit": 2, "error_limit": 2, "preempted_limit": 3}
NUMBERS = st.sampled_from([0.5, "nan"])


class AnyOrder(RuleBasedStateMachine):
    """Plays driver, workers and optimizer, and keeps books of its own about what was commanded."""

    asks = Bundle("asks")  # open questions to the optimizer
    promotes = False
    gang: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.brain = Brain(Rules(patience_s=30, grace_s=10, retry_s=1, workers_timeout_s=40))
        self.started = ev.DriverStarted(epoch=0, promotes=self.promotes, **self.gang, **LIMITS)
        self.brain.handle(self.started, 0.0)
        self.now = 0.0
        self.workers: set[int] = set()
        self.leases: dict[int, tuple[tuple[int, ...], int]] = {}  # trial -> workers, attempt
        self.attempts: dict[int, int] = {}
        self.settled: dict[int, TrialState] = {}  # those that have ended, and not run on since
        self.resting: set[int] = set()  # those of them that may be promoted
        self.before: set[int] = set()  # those that were promoted: whatever comes, they have a result
        self.resumable: set[int] = set()  # those of which the optimizer said that it may promote them
        self.stops: list[int] = []  # who was told to stop last
        self.next_worker = self.next_trial = 0
        self.concluded = self.study_over = False

    # --- what can happen

    @rule(target=asks, seat=st.integers(0, 3), replace=st.booleans())
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
        self.concluded = self.study_over = False
        opened = self.tell(self.started)
        self.workers.clear()
        return opened

    @rule(rest_s=st.sampled_from([0.5, 60.0]))
    def rest(self, rest_s):
        before = {number: self.brain._liveness.overdue_at(worker) for number, worker in self.brain.workers.items()}
        self.now += rest_s
        self.brain.rest(rest_s)
        assert {n: self.brain._liveness.overdue_at(worker) for n, worker in self.brain.workers.items()} == {
            number: at + rest_s for number, at in before.items()
        }

    @rule(target=asks, ask=consumes(asks), resumable=st.booleans())
    def suggest(self, ask, resumable):
        if self.next_trial == self.brain.rules.num_trials:  # only an optimizer that promotes is asked now
            return self.tell(ev.Exhausted(ask=ask))
        event = ev.Suggested(ask=ask, trial=self.next_trial, params={}, resumable=resumable and self.promotes)
        if event.resumable:
            self.resumable.add(event.trial)
        self.next_trial += 1
        return self.tell(event)

    @precondition(lambda self: self.resting)
    @rule(target=asks, ask=consumes(asks), data=st.data(), resumable=st.booleans())
    def promote(self, ask, data, resumable):
        trial = data.draw(st.sampled_from(sorted(self.resting)))
        self.resting.remove(trial)
        self.resumable -= set() if resumable else {trial}
        self.before.add(trial)
        del self.settled[trial]
        return self.tell(ev.Promoted(ask=ask, trial=trial, budget=9.0, reason="", resumable=resumable))

    @precondition(lambda self: self.next_trial >= 2)
    @rule(target=asks)
    def stop_the_study(self):
        told = [trial for trial, live in self.brain.live.items() if live.state is TrialState.RUNNING]
        self.study_over = True
        self.stops.clear()
        opened = self.tell(ev.StudyStopped(reason="enough"))
        assert self.concluded or sorted(self.stops) == sorted(told)
        return opened

    @rule(target=asks, ask=consumes(asks))
    def idle(self, ask):
        return self.tell(ev.Idled(ask=ask))

    @rule(ask=consumes(asks))
    def have_enough(self, ask):
        assert list(self.tell(ev.Exhausted(ask=ask)).values) == []

    @rule(trial=TRIALS, age=AGES, awaits=st.sampled_from([None, 1]), number=NUMBERS)
    def report(self, trial, age, awaits, number):
        attempt = self.attempt(trial, age)
        event = ev.MetricsReported(trial=trial, attempt=attempt, steps=[1], values=[number], awaits=awaits)
        assert list(self.tell(event).values) == []

    @rule(trial=TRIALS, age=AGES, stop=st.booleans())
    def judge(self, trial, age, stop):
        attempt = self.attempt(trial, age)
        assert list(self.tell(ev.Judged(trial=trial, attempt=attempt, step=1, stop=stop)).values) == []

    @rule(target=asks, trial=TRIALS, age=AGES)
    def finish(self, trial, age):
        attempt = self.attempt(trial, age)
        if self.brain.holds(trial, attempt) and trial in self.resumable:
            self.resting.add(trial)
        return self.tell(ev.TrialFinished(trial=trial, attempt=attempt, metric=0.5))

    @rule(target=asks, trial=TRIALS, age=AGES)
    def leave(self, trial, age):
        attempt = self.attempt(trial, age)
        return self.tell(ev.TrialStopped(trial=trial, attempt=attempt, metric=0.5))

    @rule(target=asks, trial=TRIALS, age=AGES, error=st.sampled_from(["KeyError", "ValueError"]))
    def fail(self, trial, age, error):
        attempt = self.attempt(trial, age)
        if self.leases.get(trial, (None, None))[1] == attempt:
            del self.leases[trial]  # it has failed, or is tried again
        return self.tell(ev.TrialFailed(trial=trial, attempt=attempt, error=error, signature=error))

    @rule(trial=TRIALS, age=AGES)
    def save(self, trial, age):
        attempt = self.attempt(trial, age)
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

    def attempt(self, trial, age):
        """The number of an attempt that is so old."""
        return max(0, self.attempts.get(trial, 0) - age)

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
                    assert not self.study_over, "a trial begins although the study is over"
                    gang = command.gang or (command.worker,)
                    assert command.worker == gang[0] and len(set(gang)) == len(gang)
                    assert self.workers.issuperset(gang), "a trial was handed to nobody"
                    assert command.trial not in self.leases, "a trial was handed out twice"
                    assert not [worker for busy, _ in self.leases.values() for worker in busy if worker in gang]
                    assert command.attempt == self.attempts.get(command.trial, -1) + 1
                    assert command.budget == (9.0 if command.trial in self.before else None)
                    self.attempts[command.trial] = command.attempt
                    self.leases[command.trial] = gang, command.attempt
                case do.Fence():
                    gang, attempt = self.leases.pop(command.trial)
                    assert command.worker in gang and command.attempt == attempt
                case do.Replace():
                    assert command.worker in self.workers, "whoever is gone was replaced"
                    self.workers.remove(command.worker)
                    self.leases.pop(command.trial, None)
                case do.GoOn() | do.Stop():
                    self.stops += [command.trial] if isinstance(command, do.Stop) else []
                    gang, attempt = self.leases[command.trial]
                    assert (command.worker, command.attempt) == (gang[0], attempt)
                case do.Judge():
                    assert self.leases[command.trial][1] == command.attempt
                case do.Settle():
                    assert command.state.final
                    assert command.trial not in self.settled, "a trial has ended twice"
                    assert command.state.has_result or command.trial not in self.before, "its result is lost"
                    assert command.trial in self.before or not command.fell_back, "it has nothing to fall back to"
                    self.settled[command.trial] = command.state
                    self.leases.pop(command.trial, None)
                case do.Conclude():
                    assert not self.concluded
                    self.concluded = True
        if self.concluded:  # nobody is replaced any more
            self.workers &= set(self.brain.workers)
        return multiple(*opened)

    @invariant()
    def the_books_agree(self):
        check_invariants(self.brain)
        assert set(self.brain.workers) == self.workers
        assert self.brain.suggested == self.next_trial
        assert self.brain.ended == Counter(self.settled.values())
        assert self.settled.keys().isdisjoint(self.brain.live)
        assert set(self.brain._resting) == self.resting
        assert self.brain.tried == len(self.settled.keys() | self.before)
        assert self.concluded == (self.brain.ending is not None)
        assert self.concluded or self.held() == self.leases

    def held(self):
        """The leases as the brain has them."""
        live = self.brain.live.items()
        return {number: (trial.gang, trial.attempt) for number, trial in live if trial.gang}


class AnyOrderWithPromotions(AnyOrder):
    promotes = True


class AnyOrderOfGangs(AnyOrder):
    """Trials on two workers each, or on one if the second does not come."""

    gang: ClassVar[dict[str, Any]] = {"workers_per_trial": 2, "min_workers": 1}

    @rule(target=AnyOrder.asks, trial=TRIALS, age=AGES)
    def lose_touch(self, trial, age):
        return self.tell(ev.GangBroke(trial=trial, attempt=self.attempt(trial, age), reason="nobody answers"))


class AnyOrderOfFreshGangs(AnyOrderOfGangs):
    gang: ClassVar[dict[str, Any]] = {"workers_per_trial": 2, "min_workers": 2, "fresh": True}
    promotes = True


for machine in (AnyOrder, AnyOrderWithPromotions, AnyOrderOfGangs, AnyOrderOfFreshGangs):
    machine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
TestAnyOrderWithPromotions = AnyOrderWithPromotions.TestCase
TestAnyOrderOfGangs = AnyOrderOfGangs.TestCase
TestAnyOrderOfFreshGangs = AnyOrderOfFreshGangs.TestCase


@given(st.data())
@settings(deadline=None)
def test_an_experiment_whose_seats_are_filled_again_always_ends_and_no_result_is_lost(data):
    limits = {"num_trials": data.draw(st.integers(1, 6)), "lost_limit": 2, "alike_limit": 2}
    promotes = data.draw(st.booleans())
    gang: ClassVar[dict[str, Any]] = {
        "workers_per_trial": data.draw(st.integers(1, 3)),
        "min_workers": 1,
        "fresh": data.draw(st.booleans()),
    }
    brain, now, workers = Brain(Rules(retry_s=1.0, workers_timeout_s=20.0)), 0.0, itertools.count()
    started = ev.DriverStarted(epoch=0, promotes=promotes, **gang, **limits)
    to_do: deque[ev.AnyEvent] = deque([started])
    running: list[do.Run] = []
    promoted: set[int] = set()
    ended: dict[int, TrialState] = {}
    stops_left = data.draw(st.integers(0, 2))  # so often the study is stopped, and a driver goes on
    for _ in range(1000):
        if not to_do:
            now += 1.0
            to_do.extend(brain.due(now))
        while to_do:
            event = to_do.popleft()
            if isinstance(event, ev.Promoted):
                promoted.add(event.trial)
                del ended[event.trial]
            for command in brain.handle(event, now):
                if isinstance(command, do.Ask):
                    answers: list[ev.Answer] = [
                        ev.Promoted(ask=command.number, trial=trial, budget=9.0, reason="", resumable=True)
                        for trial in brain._resting
                        if trial not in promoted
                    ]
                    if brain.suggested < brain.rules.num_trials:
                        new = {"trial": brain.suggested, "params": {}, "resumable": promotes}
                        answers.append(ev.Suggested(ask=command.number, **new))
                    if running:
                        answers.append(ev.Idled(ask=command.number))
                    to_do.append(data.draw(st.sampled_from(answers or [ev.Exhausted(ask=command.number)])))
                elif isinstance(command, do.Run):
                    running.append(command)
                elif isinstance(command, do.Settle):
                    assert command.trial not in ended
                    assert command.state.has_result or command.trial not in promoted, "its result is lost"
                    ended[command.trial] = command.state
            check_invariants(brain)
        if brain.ending is not None:
            if brain.ending is Ending.HOPELESS or not stops_left:
                break
            stops_left -= 1
            running.clear()
            to_do.append(started)
        elif stops_left and not brain._study_over and data.draw(st.integers(0, 9)) == 0:
            to_do.append(ev.StudyStopped(reason="enough"))
        elif len(brain.workers) < 4:
            number = next(workers)
            to_do.append(ev.WorkerJoined(worker=number, seat=number))
        elif running:
            run = running.pop(data.draw(st.integers(0, len(running) - 1)))
            which = {"trial": run.trial, "attempt": run.attempt}
            ends = [
                ev.TrialFinished(**which, metric=0.5),
                ev.TrialStopped(**which, metric=0.5),
                ev.TrialFailed(**which, error="KeyError", signature="KeyError"),
                ev.WorkerLost(worker=data.draw(st.sampled_from(run.gang or (run.worker,))), reason="killed"),
                ev.GangBroke(**which, reason="nobody answers"),
            ]
            to_do.append(data.draw(st.sampled_from(ends)))
    assert brain.ending in (Ending.COMPLETE, Ending.HOPELESS)
    assert brain.ended == Counter(ended.values())
    if brain.ending is Ending.COMPLETE and not brain._study_over:
        assert sorted(ended) == list(range(limits["num_trials"])), "not every trial has ended"
