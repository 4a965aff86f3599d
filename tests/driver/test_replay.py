"""A driver that is killed anywhere goes on as if nothing had happened, and a journal can be checked."""

import msgspec
import pytest
from driver.helpers import StopAbove, advisor, decider
from driver.world import World, decisions, outcome, told

from maggy.brain import events as ev
from maggy.brain.commands import Ending
from maggy.driver import replay
from maggy.journal import Record
from maggy.optimizer import (
    PBT,
    AbstractOptimizer,
    Asha,
    Hyperband,
    Optimizer,
    OptimizerAdapter,
    RandomSearch,
    Sampler,
    SuccessiveHalving,
)
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


class Near(Sampler):
    """Its model is the best configuration so far, and how many others run."""

    fits_models = True
    origin = "model"

    def ready(self, history):
        return len(history.observations) >= 3

    def draw(self, number, history, rng):
        _, best = min((each.loss, each.params["lr"]) for each in history.observations if each.loss is not None)
        return {"lr": round((best + 0.1 * rng.random() + 0.01 * len(history.pending)) % 1.0, 6)}


INTERVAL = 4  # of the population
OPTIMIZERS = {
    "random": RandomSearch,
    "hill": Hill,
    "shelf": lambda: OptimizerAdapter(Shelf()),
    "model": Near,
    "asha": lambda: Asha(2, 1, 4),
    "asha in two brackets": lambda: Asha(2, 1, 4, brackets=2),
    "asha over a model": lambda: Asha(2, 1, 4, sampler=Near()),
    "asha, stopping": lambda: Asha(2, 1, 4, form="stopping"),
    "halving": lambda: SuccessiveHalving([(1, 4), (2, 2), (4, 1)]),
    "hyperband": lambda: Hyperband(1, 4, 2),
    "bohb": lambda: Hyperband(1, 4, 2, sampler=Near()),
    "pbt": lambda: PBT(4, interval=INTERVAL, budget_max=12, quantile=0.5),
}
PLAIN = ("random", "hill", "shelf", "model")
PROMOTING = ("asha", "asha in two brackets", "asha over a model", "halving", "hyperband", "bohb")


def value(params, state):
    return round((params["lr"] - 0.3) ** 2 + 1 / state.step, 6)


def world(optimizer, *, workers, judge=False, saves=False, value=value, num_trials=8, **settings):
    rule = StopAbove(0.6) if judge and optimizer in PLAIN else None
    takes_budget = optimizer in (*PROMOTING, "pbt")
    return World(
        lambda: advisor(OPTIMIZERS[optimizer](), rule, num_trials=num_trials, takes_budget=takes_budget, **settings),
        workers=workers,
        duration=lambda params: 1.0 + params["lr"],
        value=value,
        judge=judge,
        saves=saves,
    )


def check_every_cut(same_world):
    """A driver that is killed after any record ends with the result of one that is not; returns the latter's."""
    undisturbed, journal = same_world.run()
    disks = list(same_world.disks)
    expected = outcome(undisturbed)
    assert len(expected) == undisturbed.brain.suggested
    for cut in range(len(journal)):
        resumed, records = same_world.run(journal[:cut], disks[:cut])
        assert outcome(resumed) == expected, f"killed after record {cut - 1}"
        assert told(records) == expected, f"read in the journal of one that was killed after record {cut - 1}"
        assert records[:cut] == journal[:cut]
        assert decisions(records) == decisions(journal), f"killed after record {cut - 1}"
    return undisturbed, journal


@pytest.mark.parametrize("optimizer", PLAIN)
@pytest.mark.parametrize(("workers", "judge"), [(3, False), (1, False), (1, True)])
def test_a_driver_that_is_killed_after_any_record_ends_with_the_result_of_one_that_is_not(optimizer, workers, judge):
    undisturbed, _ = check_every_cut(world(optimizer, workers=workers, judge=judge))
    assert undisturbed.brain.suggested == 8
    assert judge == (TrialState.STOPPED in undisturbed.brain.ended)


@pytest.mark.parametrize("optimizer", PROMOTING)
@pytest.mark.parametrize(("workers", "saves"), [(1, False), (1, True), (3, False), (3, True)])
def test_promotions_come_out_alike_wherever_the_driver_is_killed(optimizer, workers, saves):
    undisturbed, journal = check_every_cut(world(optimizer, workers=workers, saves=saves))
    promotions = [record.event for record in journal if isinstance(record.event, ev.Promoted)]
    assert len(promotions) >= 3
    assert undisturbed.brain.settled == 8 + len(promotions)
    assert [trial.num_points for trial in undisturbed.advisor.book.ended] == [
        trial.budget for trial in undisturbed.advisor.book.ended
    ]


def test_stops_at_milestones_come_out_alike_wherever_the_driver_is_killed():
    undisturbed, _ = check_every_cut(world("asha, stopping", workers=1, judge=True))
    assert {trial.num_points for trial in undisturbed.advisor.book.ended} >= {1, 2}


def inherited(params, state):
    return round(state.sum, 6)  # so the best are the fastest, and ahead of those that take over from them


@pytest.mark.parametrize("saves", [False, True])
def test_a_population_comes_out_alike_wherever_the_driver_is_killed(saves):
    def turned(params, state):
        return -inherited(params, state)

    undisturbed, journal = check_every_cut(world("pbt", workers=1, saves=saves, value=turned))
    assert any(trial.parent is not None for trial in undisturbed.advisor.book.ended)
    assert any(isinstance(record.event, ev.Promoted) for record in journal)


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_whoever_takes_over_a_state_gets_the_one_it_was_promised_wherever_the_driver_is_killed(workers):
    same_world = world("pbt", workers=workers, saves=True, value=inherited)
    undisturbed, journal = same_world.run()
    disks = list(same_world.disks)
    check_lineage(undisturbed, saves=True)
    for cut in range(len(journal)):
        resumed, _ = same_world.run(journal[:cut], disks[:cut])
        check_lineage(resumed, saves=True)


def check_lineage(decider, saves):
    """What a trial returned at each budget is what its training, and that of those before it, comes to."""
    trials = {trial.trial_id: trial for trial in decider.advisor.book.ended}

    def trained(trial, budget):
        """The sum of the learning rates of all epochs up to a budget."""
        if trial.parent is None or not saves:
            return budget * trial.params["lr"]
        begun = trial.rungs[0][0] - INTERVAL
        return trained(trials[trial.parent], begun) + (budget - begun) * trial.params["lr"]

    for trial in trials.values():
        for budget, metric in trial.rungs:
            assert metric == pytest.approx(trained(trial, budget), abs=1e-5), (
                f"trial {trial.trial_id} at budget {budget}"
            )


@pytest.mark.parametrize(("optimizer", "saves"), [("hill", False), ("bohb", True), ("asha over a model", True)])
def test_a_driver_may_be_killed_again_and_again(optimizer, saves):
    same_world = world(optimizer, workers=2, saves=saves)
    undisturbed, journal = same_world.run()
    kept, disks = journal[:3], same_world.disks[:3]
    for cut in range(8, 400, 5):
        resumed, records = same_world.run(kept, disks)
        if cut >= len(records):
            break
        kept, disks = records[:cut], same_world.disks[:cut]
    assert outcome(resumed) == outcome(undisturbed)
    assert decisions(records) == decisions(journal)
    assert sum(isinstance(record.event, ev.DriverStarted) for record in records) > 5
    assert len(records) > len(journal)


@pytest.mark.parametrize("optimizer", [*PLAIN, *PROMOTING])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_search_that_is_resumed_with_more_trials_than_it_was_begun_with_gets_them(optimizer, workers):
    warnings = []
    _, journal = world(optimizer, workers=workers).run()
    resumed, records = world(optimizer, workers=workers, num_trials=16, warn=warnings.append).run(journal, changed=True)
    tried = sorted(trial.trial_id for trial in resumed.advisor.book.ended)
    if optimizer == "halving":  # its plan is another one with so many trials, and it waits for what it would have begun
        assert warnings == ["the optimizer says IDLE although no trial is running; the search ends here"]
        assert 8 <= len(tried) <= 16
        return
    assert tried == list(range(16))
    assert warnings == []
    assert decisions(records)[: len(decisions(journal))] == decisions(journal)
    again = decider(world(optimizer, workers=workers, num_trials=16)._make())
    assert replay(again, records).differences == []


@pytest.mark.parametrize(
    ("begun", "optimizer"),
    [("asha", "asha in two brackets"), ("asha", "asha over a model"), ("hyperband", "halving"), ("hyperband", "bohb")],
)
def test_an_optimizer_whose_settings_were_changed_promotes_what_it_may_and_comes_to_an_end(begun, optimizer):
    _, journal = world(begun, workers=2).run()
    for cut in range(10, len(journal), 3):
        other = world(optimizer, workers=2, num_trials=12, warn=lambda line: None)
        resumed, _ = other.run(journal[:cut], changed=True)
        assert resumed.brain.ending is Ending.COMPLETE
        assert resumed.brain.tried == resumed.brain.suggested


@pytest.mark.parametrize("optimizer", ["model", "asha over a model", "bohb"])
def test_draws_of_models_can_be_made_again_from_what_they_saw(optimizer):
    same_world = world(optimizer, workers=3)
    _, journal = same_world.run()
    assert sum(isinstance(r.event, ev.Suggested) and r.event.origin == "model" for r in journal) >= 3
    made = decider(same_world._make())
    made.advisor.draws.checks = True
    assert replay(made, journal).differences == []
    at = next(r.n for r in journal if isinstance(r.event, ev.Suggested) and r.event.origin == "model")
    other = msgspec.structs.replace(journal[at].event, params={"lr": 0.123})
    forged = [*journal[:at], Record(at, journal[at].t, other), *journal[at + 1 :]]
    made = decider(same_world._make())
    made.advisor.draws.checks = True
    assert replay(made, forged).differences[0].journalled == other


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
