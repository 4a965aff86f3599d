"""What study-level stoppers see, in literal times, and over several drivers."""

from __future__ import annotations

from copy import deepcopy
from math import inf

from brain.helpers import Failed, Finished, Joined, Reported, Started, StudyStopped
from driver.helpers import Listed, advisor, decider, worker

from maggy.brain import events as ev
from maggy.brain.commands import Ending
from maggy.driver import Decider, replay
from maggy.earlystop import StudyStopper, n_samples, n_updates, no_update_period, time_budget
from maggy.journal import Record, read
from maggy.optimizer import Promotion
from maggy.trial import Trial, TrialState
from maggy.wire import messages as wire
from maggy.wire.messages import Ready


class Study:
    """A study under a clock: what happens at a time, and what the stopper says then."""

    def __init__(self, stopper, *answers, warn=None, **settings) -> None:
        self.make = lambda: self.fresh(stopper, answers, warn, settings)
        self.decider = self.make()
        self.records: list[Record] = []
        self.happen(0.0, Started(0, trials=10, promotes=True))

    @staticmethod
    def fresh(stopper, answers, warn, settings) -> Decider:
        optimizer = Listed(*deepcopy(answers))
        optimizer.promotes = True
        if warn is not None:
            settings = {**settings, "warn": warn}
        return decider(advisor(optimizer, stopper, **settings))

    def happen(self, t: float, *events: ev.AnyEvent) -> None:
        for event in events:
            self.records.append(Record(len(self.records), t, event))
            _, answers = self.decider.learn(event, now=t, t=t)
            self.happen(t, *answers)

    def verdict(self, t: float) -> str | None:
        return self.decider.advisor.study_verdict(t)

    def check_at(self, t: float) -> float:
        """When the stopper may say something else."""
        self.verdict(t)
        return t + self.decider.advisor.study_check_in_s()

    def another_driver(self, t: float) -> None:
        """The driver is gone without a word; the next one begins."""
        before = self.watch.study
        self.decider = self.make()
        told = replay(self.decider, self.records)
        assert told.differences == []
        assert (self.watch.study.updates, self.watch.study.ended) == (before.updates, before.ended)
        self.happen(t, *told.open, Started(told.epoch + 1, trials=10, promotes=True))

    @property
    def watch(self):
        return self.decider.advisor.watch


def test_time_begins_when_the_first_worker_is_ready():
    study = Study(time_budget(100), {"lr": 0.1})
    assert study.verdict(40) is None
    assert study.watch.study.elapsed_s == 0
    study.happen(50, Joined(0))
    study.happen(60, Joined(1))
    assert study.check_at(75) == 150
    assert study.verdict(149.9) is None
    assert study.verdict(150) == "the time budget of 100 s is spent"


def test_time_in_which_no_driver_ran_or_no_worker_was_ready_does_not_count():
    study = Study(time_budget(100), {"lr": 0.1})
    study.happen(50, Joined(0))
    study.happen(120, Reported(0, step=1, value=0.5))  # the last that is on record: 70 s, and no trial has ended
    study.another_driver(1000)
    assert study.watch.study.elapsed_s == 70
    assert study.verdict(1005) is None
    study.happen(1010, Joined(1))
    assert study.check_at(1020) == 1040
    study.another_driver(5000)  # the second had worked for no second that is on record
    study.happen(5000, Joined(2))
    assert study.check_at(5000) == 5030
    assert study.verdict(5030) == "the time budget of 100 s is spent"


def test_a_driver_that_never_had_a_worker_takes_no_time():
    study = Study(time_budget(100))
    study.another_driver(1000)
    study.another_driver(2000)
    study.happen(3000, Joined(0))
    assert study.check_at(3000) == 3100


def test_a_clock_that_is_set_back_lets_time_stand_still():
    study = Study(time_budget(100), {"lr": 0.1})
    study.happen(50, Joined(0))
    study.happen(90, Reported(0, step=1, value=0.5))
    study.happen(20, Reported(0, step=2, value=0.5))
    assert study.watch.study.elapsed_s == 40
    study.another_driver(10)
    study.happen(10, Joined(1))
    assert study.check_at(10) == 70


def test_improvements_are_counted_over_all_drivers_on_the_clock_of_the_study():
    study = Study(no_update_period(30), {"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3})
    study.happen(100, Joined(0))
    assert study.check_at(1000) == inf, "it waits for the first result"
    study.happen(1000, Finished(0, 0.5))
    study.happen(1010, Finished(1, 0.6))  # no improvement
    assert study.check_at(1010) == 1030
    study.another_driver(5000)
    study.happen(5000, Joined(1))
    assert study.check_at(5000) == 5020
    study.happen(5015, Finished(2, 0.4, attempt=1))
    assert [(update.t_s, update.trial_id, update.loss) for update in study.watch.study.updates] == [
        (900, 0, 0.5),
        (925, 2, 0.4),
    ]
    assert study.verdict(5044.9) is None
    assert study.verdict(5045) == "the best was not improved for 30 s"


def test_a_promoted_trial_that_improves_is_an_improvement_and_no_further_trial():
    first = Trial({"lr": 0.1}, budget=1, resumable=True)
    promotion = Promotion(trial=0, budget=3, reason="the best of 1", resumable=True)
    study = Study(n_updates(2), first, {"lr": 0.2}, promotion, promotion)
    study.happen(0, Joined(0))
    study.happen(1, Finished(0, 0.5))
    study.happen(2, Finished(1, 0.6))  # and trial 0 runs on
    assert (study.watch.study.ended, len(study.watch.study.updates)) == (2, 1)
    study.happen(3, Finished(0, 0.4, attempt=1))  # and once more
    assert study.watch.study.ended == 2
    assert study.verdict(3) == "the best was improved 2 times"
    study.happen(4, Failed(0, attempt=2))
    assert (study.watch.study.ended, len(study.watch.study.updates)) == (2, 2)


def test_the_reason_of_a_stop_is_that_of_the_last_driver():
    study = Study(n_samples(1), {"lr": 0.1}, {"lr": 0.2})
    study.happen(0, Joined(0))
    study.happen(10, Finished(0, 0.5))
    assert study.verdict(10) == "1 trials have ended"
    study.happen(10, StudyStopped("1 trials have ended"), Finished(1, 0.5))
    assert study.decider.brain.ending is Ending.COMPLETE
    assert study.watch.stopped == "1 trials have ended"
    study.another_driver(100)
    assert study.watch.stopped is None
    assert study.decider.brain.ending is None, "the new driver's stopper may let it go on"


def test_a_study_whose_time_is_spent_is_stopped_again_before_the_next_driver_has_a_worker():
    study = Study(time_budget(100), {"lr": 0.1})
    study.happen(50, Joined(0))
    study.happen(150, StudyStopped("the time budget of 100 s is spent"))
    study.another_driver(1000)
    assert study.verdict(1000) == "the time budget of 100 s is spent"
    study.happen(1000, StudyStopped("the time budget of 100 s is spent"))
    assert study.decider.brain.ending is Ending.COMPLETE


def test_a_stopper_that_fails_is_reported_once_and_ends_nothing():
    class Broken(StudyStopper):
        def study_verdict(self, study):
            raise ZeroDivisionError("no progress")

    warnings = []
    study = Study(Broken(), {"lr": 0.1}, warn=warnings.append)
    study.happen(0, Joined(0))
    assert study.verdict(1) is None
    assert study.check_at(2) == inf
    assert len(warnings) == 1 and "ZeroDivisionError: no progress" in warnings[0]


# --- what the driver does about it


def at_work(stage, seat=0, **who):
    connection = worker(stage, seat, **who)
    stage.turn()
    connection.told()
    return connection, connection.say(Ready())


def test_the_trial_that_is_one_too_many_is_not_begun(start):
    stage = start(Listed(*9 * [{"lr": 0.1}]), n_samples(2))
    one, _ = at_work(stage)
    one.say(wire.Finished(0, 0, 0.5))
    assert one.say(wire.Finished(1, 0, 0.4)) == [wire.Release(5.0)]
    assert stage.driver.over.is_set()
    assert [trial.trial_id for trial in stage.advisor.book.ended] == [0, 1]
    assert stage.kinds()[-3:] == ["TrialFinished", "StudyStopped", "Suggested"]
    again = decider(advisor(Listed(*9 * [{"lr": 0.1}]), n_samples(2)), rules=stage.brain.rules)
    assert replay(again, read(stage.folder)).differences == []
    assert again.brain.ending is Ending.COMPLETE


def test_what_runs_when_the_study_is_stopped_is_told_to_stop_with_the_reason_in_the_book(start):
    stage = start(Listed(*9 * [{"lr": 0.1}]), n_samples(1))
    one, _ = at_work(stage)
    two, _ = at_work(stage, 1, holder="h1")
    assert one.say(wire.Finished(0, 0, 0.5)) == []
    assert two.told() == [wire.StopTrial(1, 0)]
    three, told = at_work(stage, 2, holder="h2")
    assert told == []
    assert two.say(wire.Stopped(1, 0, 0.4)) == [wire.Release(5.0)]
    assert one.told() == three.told() == [wire.Release(5.0)]
    stopped = stage.advisor.book.ended[1]
    assert (stopped.state, stopped.final_metric, stopped.reason) == (TrialState.STOPPED, 0.4, "1 trials have ended")
    assert stage.kinds().count("StudyStopped") == 1


def test_a_study_whose_time_has_come_is_stopped_although_nobody_says_anything(start):
    class Hand:
        """A clock that is turned by hand."""

        now = 0.0

        def monotonic(self):
            return self.now

        time = monotonic

    stage = start(Listed({"lr": 0.1}), time_budget(10))
    clock = stage.driver._clock = Hand()
    clock.now = 100.0
    one, _ = at_work(stage)
    clock.now = 105.0
    assert one.say(wire.Metrics(0, 0, [1], [0.5])) == []
    assert stage.driver._check_study_at == 110.0
    clock.now = 110.0
    stage.turn()
    assert one.told() == [wire.StopTrial(0, 0)]
    assert one.say(wire.Stopped(0, 0, 0.5)) == [wire.Release(5.0)]
    assert stage.advisor.watch.stopped == "the time budget of 10 s is spent"
