"""A driver that is killed anywhere goes on as if nothing had happened, and a journal can be checked."""

import msgspec
import pytest
from driver.helpers import StopAbove, advisor, decider
from driver.world import World, outcome

from maggy.brain import events as ev
from maggy.driver import replay
from maggy.journal import Record
from maggy.optimizer import AbstractOptimizer, Optimizer, OptimizerAdapter, RandomSearch
from maggy.trial import Trial, TrialState


class Hill(Optimizer):
    """Draws around the best so far: every suggestion depends on all that has ended."""

    def prepare(self, setting):
        self.best = (float("inf"), 0.5)
        return super().prepare(setting)

    def suggest(self, n, rng):
        if n >= self.setting.num_trials:
            return None
        lr = min(1.0, max(0.0, self.best[1] + 0.2 * rng.standard_normal()))
        return Trial({"lr": lr})

    def observe(self, report):
        if report.loss is not None:
            self.best = min(self.best, (report.loss, report.trial.params["lr"]))


class Shelf(AbstractOptimizer):
    """Keeps a list that it takes from, as the seeds' own optimizers do, and lets every third worker wait."""

    def initialize(self):
        self.shelf = [{"lr": n / 10} for n in range(self.num_trials)]
        self.asked = 0

    def get_suggestion(self, trial=None):
        self.asked += 1
        if not self.shelf:
            return None
        if self.asked % 3 == 0 and self.trial_store:
            return "IDLE"
        return self.create_trial(self.shelf.pop(0))

    def finalize_experiment(self, trials):
        pass


OPTIMIZERS = {"random": RandomSearch, "hill": Hill, "shelf": lambda: OptimizerAdapter(Shelf())}


def value(params, step):
    return round((params["lr"] - 0.3) ** 2 + 1 / step, 6)


def world(optimizer, *, workers, judge=False):
    rule = StopAbove(0.6) if judge else None
    return World(
        lambda: advisor(OPTIMIZERS[optimizer](), rule, num_trials=8),
        workers=workers,
        duration=lambda params: 1.0 + params["lr"],
        value=value,
        judge=judge,
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("workers", "judge"), [(3, False), (1, False), (1, True)])
def test_a_driver_that_is_killed_after_any_record_ends_with_the_result_of_one_that_is_not(optimizer, workers, judge):
    undisturbed, journal = world(optimizer, workers=workers, judge=judge).run()
    expected = outcome(undisturbed)
    assert len(expected) == 8
    assert judge == (TrialState.STOPPED in {state for state, *_ in expected.values()})
    for cut in range(len(journal)):
        same_world = world(optimizer, workers=workers, judge=judge)
        same_world.run()  # it knows when each trial was begun
        resumed, records = same_world.run(journal[:cut])
        assert outcome(resumed) == expected, f"killed after record {cut - 1}"
        assert records[:cut] == journal[:cut]


def test_a_driver_may_be_killed_again_and_again():
    undisturbed, journal = world("hill", workers=2).run()
    kept = []
    for cut in range(3, 200, 5):
        same_world = world("hill", workers=2)
        same_world.run()
        resumed, records = same_world.run(kept)
        kept = records[:cut]
        if cut >= len(records):
            break
    assert outcome(resumed) == outcome(undisturbed)
    assert sum(isinstance(record.event, ev.DriverStarted) for record in records) > 5
    assert len(records) > len(journal)


def derived(records, optimizer="hill", **settings):
    made = decider(advisor(OPTIMIZERS[optimizer](), num_trials=8, **settings))
    return replay(made, records), made


def test_a_replay_of_an_honest_journal_finds_no_difference():
    _, journal = world("hill", workers=2).run()
    told, made = derived(journal)
    assert (told.records, told.decisions, told.differences, told.open, told.epoch) == (len(journal), 8, [], [], 0)
    assert made.brain.ended.total() == 8


def test_a_replay_names_the_record_whose_decision_comes_out_otherwise():
    _, journal = world("random", workers=1).run()
    at, record = next((n, r) for n, r in enumerate(journal) if isinstance(r.event, ev.Suggested) and r.event.trial == 4)
    other = msgspec.structs.replace(record.event, params={"lr": 0.123})
    told, made = derived([*journal[:at], Record(at, record.t, other), *journal[at + 1 :]], optimizer="random")
    (difference,) = told.differences
    assert (difference.record, difference.journalled, difference.derived) == (at, other, record.event)
    assert f"record {at}: the journal has" in str(difference)
    assert "0.123" in str(difference)
    assert made.advisor.book.ended[4].params == {"lr": 0.123}, "the journal stands"


def test_an_optimizer_that_was_exchanged_is_noticed_and_changes_no_past_decision():
    _, journal = world("hill", workers=1).run()
    told, made = derived(journal[:-4], optimizer="shelf")
    assert len(told.differences) > 4
    kept = [r.event.params for r in journal[:-4] if isinstance(r.event, ev.Suggested)]
    trials = sorted([*made.advisor.book.ended, *made.advisor.book.running.values()], key=lambda t: t.trial_id)
    assert [trial.params for trial in trials] == kept


def test_an_answer_that_the_crash_took_is_given_again():
    _, journal = world("hill", workers=1).run()
    at = next(n for n, r in enumerate(journal) if isinstance(r.event, ev.Suggested) and r.event.trial == 4)
    told, _ = derived(journal[:at])
    assert told.open == [journal[at].event]
