"""ASHA: Li et al., arXiv 1810.05934, and its stopping form."""

import random
from collections import Counter
from math import ceil, inf, isfinite, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.errors import ConfigError
from maggy.optimizer import IDLE, Asha
from maggy.searchspace import Searchspace
from maggy.testing import OptimizerContract, Stage, play
from maggy.trial import TrialState

space = Searchspace(x=("DOUBLE", [0, 1]))


class TestAshaByPromotion(OptimizerContract):
    def make(self):
        return Asha()


class TestAshaByPromotionInBrackets(OptimizerContract):
    num_trials = 30

    def make(self):
        return Asha(2, 1, 8, brackets=3)


class TestAshaByStopping(OptimizerContract):
    def make(self):
        return Asha(form="stopping", resource_max=8)


class TestAshaByStoppingInBracketsWithoutATop(OptimizerContract):
    def make(self):
        return Asha(form="stopping", brackets=2)

    takes_budget = False


# --- the promotion form -----------------------------------------------------------------------


def run_one(stage: Stage, losses: dict[int, float]) -> tuple[int, int]:
    """One worker runs one job; returns the trial and the budget."""
    trial = stage.ask()
    stage.end(trial, losses[trial.trial_id])
    return trial.trial_id, stage.trials[trial.trial_id].rungs[-1][0]


def test_one_worker_runs_the_jobs_of_the_papers_example_in_the_order_of_algorithm_2():
    """Bracket 0 with r=1, R=9, eta=3 and nine configurations, of which 0, 5 and 7 are the good ones."""
    losses = {0: 0.30, 1: 0.80, 2: 0.90, 3: 0.70, 4: 0.75, 5: 0.20, 6: 0.85, 7: 0.10, 8: 0.95}
    stage = Stage(Asha(3, 1, 9), space, num_trials=9)
    assert [run_one(stage, losses) for _ in range(13)] == [
        *((0, 1), (1, 1), (2, 1), (0, 3)),  # one in three: 0 is the best so far
        *((3, 1), (4, 1), (5, 1), (5, 3)),  # two in six
        *((6, 1), (7, 1), (7, 3)),  # the best of eight
        *((7, 9), (8, 1)),  # one in three of rung 1, before the last configuration
    ]
    assert stage.ask() is None


def test_the_smallest_loss_is_promoted_and_so_is_the_largest_metric():
    for direction in ("min", "max"):
        trials = play(Asha(3, 1, 9), space, num_trials=27, direction=direction, loss=lambda trial: trial.params["x"])
        best = min(trials, key=lambda trial: trial.params["x"])
        assert best.budget == 9
        worst = max(trials, key=lambda trial: trial.params["x"])
        assert worst.budget == 1


def test_a_higher_rung_goes_before_a_lower_one():
    stage = Stage(Asha(2, 1, 4), space, num_trials=10)
    first = [stage.ask() for _ in range(6)]
    for trial in first:
        stage.end(trial, trial.trial_id / 10)
    second = [stage.ask() for _ in range(3)]
    assert [(trial.trial_id, trial.budget) for trial in second] == [(0, 2), (1, 2), (2, 2)]
    for trial in second[:2]:
        stage.end(trial, trial.trial_id / 10)
    more = stage.ask()  # the best 1/2 of rung 1 before a fresh configuration
    assert (more.trial_id, more.budget, more.rung, more.resumable) == (0, 4, 2, False)
    assert more.notes == [
        "promoted to budget 2: 1st of 6 at budget 1, the best 1/2 go on",
        "promoted to budget 4: 1st of 2 at budget 2, the best 1/2 go on",
    ]


def test_nobody_waits_while_there_are_configurations():
    stage = Stage(Asha(4, 1, 16), space, num_trials=50)
    trials = [stage.ask() for _ in range(50)]
    assert all(trial.budget == 1 and trial.rung == 0 and trial.resumable for trial in trials)
    assert stage.ask() == IDLE  # any of them may be promoted


def test_the_search_is_over_as_soon_as_nothing_that_runs_can_be_promoted():
    stage = Stage(Asha(2, 1, 2), space, num_trials=2)
    first, second = stage.ask(), stage.ask()
    stage.end(first, 0.1)
    assert stage.ask() == IDLE
    stage.end(second, 0.2)
    assert stage.ask() is first
    assert stage.ask() is None  # it runs to the largest budget


def test_a_failed_or_stopped_trial_is_the_worst_of_its_rung_and_counts_there():
    stage = Stage(Asha(3, 1, 9), space, num_trials=3)
    failed, stopped, slow = (stage.ask() for _ in range(3))
    stage.end(failed, None)
    stage.end(stopped, 0.0, TrialState.STOPPED)
    stage.end(slow, 1e9)
    assert stage.ask() is slow


@pytest.mark.parametrize("loss", [nan, inf, -inf])
def test_what_is_no_number_is_worst_and_never_promoted(loss):
    stage = Stage(Asha(2, 1, 4), space, num_trials=4)
    trials = [stage.ask() for _ in range(4)]
    for trial in trials:
        stage.end(trial, loss if trial.trial_id < 3 else 5.0)
    assert stage.ask() is trials[3]
    assert stage.ask() == IDLE
    stage.end(trials[3], loss)
    assert stage.ask() is None


def test_a_trial_that_fails_after_its_promotion_is_the_worst_of_the_higher_rung():
    stage = Stage(Asha(2, 1, 4), space, num_trials=4)
    trials = [stage.ask() for _ in range(4)]
    for trial in trials:
        stage.end(trial, trial.trial_id / 10)
    assert [stage.ask(), stage.ask()] == trials[:2]
    stage.end(trials[0], None)  # what it had at budget 1 is its result again
    assert (trials[0].budget, trials[0].rung, trials[0].final_metric) == (1, 0, 0.0)
    assert stage.ask() == IDLE
    stage.end(trials[1], 0.1)
    assert stage.ask() is trials[1]
    assert trials[1].notes[-1] == "promoted to budget 4: 1st of 2 at budget 2, the best 1/2 go on"
    stage.end(trials[1], 0.1)
    assert stage.ask() is None


def test_the_defaults_are_those_of_the_original():
    trials = play(Asha(), space, num_trials=64, loss=lambda trial: trial.params["x"])
    assert {budget for trial in trials for budget, _ in trial.rungs} == {1, 2, 4}


def test_budgets_end_with_the_last_power_that_is_not_too_large_and_stay_whole():
    trials = play(Asha(3, 2.0, 100), space, num_trials=200, loss=lambda trial: trial.params["x"])
    budgets = {budget for trial in trials for budget, _ in trial.rungs}
    assert sorted(map(repr, budgets), key=float) == ["2", "6", "18", "54"]


def test_bracket_s_starts_s_rungs_higher_and_all_brackets_cost_about_the_same():
    trials = play(Asha(4, 1, 256, brackets=3), space, num_trials=300, loss=lambda trial: trial.params["x"])
    entered = Counter(trial.bracket for trial in trials)
    # In units of the smallest budget a configuration of bracket s costs 4**s at each of its 5 - s rungs.
    costs = [entered[0] * 5, entered[1] * 4 * 4, entered[2] * 16 * 3]
    assert max(costs) - min(costs) <= 16 * 3
    assert [min(b for t in trials if t.bracket == s for b, _ in t.rungs) for s in range(3)] == [1, 4, 16]
    assert [trial.bracket for trial in trials[:3]] == [0, 0, 0]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(2, 4), st.integers(1, 3), st.integers(1, 8))
def test_every_answer_is_that_of_the_literal_algorithm(seed, eta, brackets, workers):
    """Algorithm 2, rung by rung, with sorting instead of clever lists."""
    stream = random.Random(seed)
    stage = Stage(Asha(eta, 1, eta**3, brackets=brackets), space, num_trials=25)
    finished: dict[tuple[int, int], dict[int, float]] = {}
    promoted: set[tuple[int, int, int]] = set()
    places: dict[int, int] = {}
    running = []

    def get_job() -> tuple[int, int] | None:
        places_below_top = [(s, k) for s in range(brackets) for k in range(3 - s)]
        for s, k in sorted(places_below_top, key=lambda place: (-sum(place), place[0])):
            rung = finished.get((s, k), {})
            candidates = sorted(rung, key=lambda trial: (rung[trial], trial))[: len(rung) // eta]
            for trial in candidates:
                if isfinite(rung[trial]) and (s, k, trial) not in promoted:
                    promoted.add((s, k, trial))
                    return trial, k + 1
        return None

    over = False
    while not over or running:
        while not over and len(running) < workers:
            expected = get_job()
            fresh = len(stage.trials)
            answer = stage.ask()
            if answer == IDLE or answer is None:
                assert expected is None
                assert fresh == 25
                over = answer is None
                break
            if expected is None:
                assert answer.trial_id == fresh
            else:
                assert (answer.trial_id, answer.rung) == expected
            places[answer.trial_id] = answer.rung
            assert answer.budget == eta ** ((answer.bracket or 0) + answer.rung) <= eta**3
            running.append(answer)
        if running:
            trial = running.pop(stream.randrange(len(running)))
            loss = stream.choice([None, nan, *(stream.random() for _ in range(6))])
            place = trial.bracket or 0, places[trial.trial_id]
            stage.end(trial, loss)
            finished.setdefault(place, {})[trial.trial_id] = loss if loss is not None and isfinite(loss) else inf


def test_no_configuration_comes_to_the_same_rung_twice():
    trials = play(Asha(2, 1, 16), space, num_trials=200, workers=16)
    for trial in trials:
        budgets = [budget for budget, _ in trial.rungs]
        assert budgets == [1, 2, 4, 8, 16][: len(budgets)]
    assert max(trial.budget for trial in trials) == 16


# --- the stopping form ------------------------------------------------------------------------


def test_a_trial_goes_on_while_it_is_among_the_best_third_that_have_come_as_far():
    stage = Stage(Asha(3, 1, 9, form="stopping"), space, num_trials=9, takes_budget=False)
    trials = [stage.ask() for _ in range(7)]
    assert all(trial.budget is None and not trial.resumable for trial in trials)
    losses = [0.5, 0.6, 0.4, 0.45, 0.3, 0.46, 0.44]
    # At the n-th arrival ceil(n / 3) go on: 1, 1, 1, 2, 2, 2, 3 of the best.
    reasons = [stage.report(trial, 1, loss) for trial, loss in zip(trials, losses, strict=True)]
    assert reasons == [
        None,  # the first to come
        "asha: 2nd of 2 at step 1, the best 1/3 go on",
        None,
        None,  # 2nd of 4
        None,
        "asha: 4th of 6 at step 1, the best 1/3 go on",
        None,  # 3rd of 7
    ]
    assert trials[1].state is TrialState.STOPPED


def test_the_function_needs_no_budget_and_the_form_follows_from_that():
    stage = Stage(Asha(), space, takes_budget=False)
    assert (stage.optimizer.judges, stage.optimizer.promotes) == (True, False)
    stage = Stage(Asha(), space, takes_budget=True)
    assert (stage.optimizer.judges, stage.optimizer.promotes) == (False, True)
    stage = Stage(Asha(form="stopping", resource_max=9), space, takes_budget=True)
    assert (stage.optimizer.judges, stage.optimizer.promotes) == (True, False)
    assert stage.ask().budget == 8


def test_steps_between_milestones_are_not_judged_and_steps_may_skip_them():
    stage = Stage(Asha(2, 4, form="stopping"), space, takes_budget=False)
    good, bad = stage.ask(), stage.ask()
    assert [stage.report(good, step, 0.1) for step in (0, 3, 4, 5, 10)] == [None] * 5
    assert [stage.report(bad, step, 0.9) for step in (0, 3)] == [None, None]
    assert stage.report(bad, 7, 0.9) == "asha: 2nd of 2 at step 4, the best 1/2 go on"


def test_a_trial_ends_at_the_last_rung_and_without_one_never():
    stage = Stage(Asha(2, 1, 4, form="stopping"), space, takes_budget=False)
    trial = stage.ask()
    assert [stage.report(trial, step, 0.1) for step in (1, 2, 3, 4)] == [None] * 4  # it may be about to return
    assert stage.report(trial, 5, 0.1) == "asha: it has gone beyond step 4, the last rung"
    endless = Stage(Asha(form="stopping"), space, takes_budget=False)
    trial = endless.ask()
    assert not any(endless.report(trial, step, 0.1) for step in (*range(1000), 10**9))


def test_a_loss_that_is_no_number_ends_the_trial_even_if_it_comes_first():
    stage = Stage(Asha(form="stopping"), space, takes_budget=False)
    first, second = stage.ask(), stage.ask()
    assert stage.report(first, 1, nan) == "asha: its metric at step 1 is no finite number"
    assert stage.report(second, 1, 1e9) is None


def test_a_trial_that_fails_or_is_stopped_by_a_rule_is_the_worst_at_its_next_milestone():
    stage = Stage(Asha(2, 1, form="stopping"), space, num_trials=20, takes_budget=False)
    failed, stopped, done, first, second, third = (stage.ask() for _ in range(6))
    stage.end(failed, None)
    stage.end(stopped, 0.0, TrialState.STOPPED)
    stage.end(done, 0.0)  # it returned before its first milestone: nothing to rank
    assert stage.report(first, 1, 0.5) is None  # 1st of 3
    assert stage.report(second, 1, 0.6) is None  # 2nd of 4
    assert stage.report(third, 1, 0.7) is None  # 3rd of 5
    assert stage.report(stage.ask(), 1, 0.8) == "asha: 4th of 6 at step 1, the best 1/2 go on"


def test_a_trial_that_asha_has_stopped_does_not_count_again_when_it_ends():
    stage = Stage(Asha(2, 1, form="stopping"), space, num_trials=20, takes_budget=False)
    first, second = stage.ask(), stage.ask()
    assert stage.report(first, 1, 0.1) is None
    assert stage.report(second, 1, 0.2) is not None
    assert stage.report(first, 2, 0.1) is None
    reason = stage.report(stage.ask(), 1, 0.3)
    assert reason == "asha: 3rd of 3 at step 1, the best 1/2 go on"


def test_models_learn_from_milestones():
    asha = Asha(2, 1, form="stopping", sampler="tpe")
    stage = Stage(asha, space, takes_budget=False)
    trial = stage.ask()
    for step in range(5):
        stage.report(trial, step, 1 - step / 10)
    history = asha.setting.draws.history
    assert [(each.trial, each.budget, each.loss) for each in history.observations] == [
        (0, 1, 0.9),
        (0, 2, 0.8),
        (0, 4, 0.6),
    ]
    assert history.pending == {0: trial.params}


def test_fewer_steps_are_run_than_without_stopping_and_the_best_runs_to_its_end():
    ended = {}
    trials = play(
        Asha(3, 1, form="stopping"),
        space,
        num_trials=60,
        loss=lambda trial: trial.params["x"],
        steps=30,
        takes_budget=False,
        on_end=lambda trial: ended.setdefault(trial.trial_id, trial.state),
    )
    best = min(trials, key=lambda trial: trial.params["x"])
    assert best.state is TrialState.FINISHED
    assert Counter(ended.values())[TrialState.STOPPED] > 30


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.1, 0.2, 0.3, nan])), max_size=60), st.integers(2, 4))
def test_every_judgement_is_that_of_the_definition(reports, eta):
    stage = Stage(Asha(eta, 1, form="stopping"), space, num_trials=5, takes_budget=False)
    trials = [stage.ask() for _ in range(5)]
    step = dict.fromkeys(range(5), 0)
    recorded: dict[int, list[float]] = {}
    milestones = {eta**k for k in range(40)}
    for number, loss in reports:
        if trials[number].state is not TrialState.RUNNING:
            continue
        step[number] += 1
        reason = stage.report(trials[number], step[number], loss)
        if step[number] not in milestones:
            assert reason is None
            continue
        others = recorded.setdefault(step[number], [])
        others.append(loss if isfinite(loss) else inf)
        better = sum(other < loss for other in others)
        goes_on = isfinite(loss) and better < ceil(len(others) / eta)
        assert (reason is None) == goes_on


# --- bad input --------------------------------------------------------------------------------


def test_the_promotion_form_needs_a_function_with_a_budget():
    with pytest.raises(
        ConfigError, match=r"the promotion form of ASHA gives every trial a budget, .* argument `budget`"
    ):
        Stage(Asha(form="promotion"), space, takes_budget=False)


def test_the_stopping_form_has_to_know_the_budget_of_a_function_that_asks_for_one():
    with pytest.raises(ConfigError, match=r"say which, with Asha\(resource_max=\.\.\.\)"):
        Stage(Asha(form="stopping"), space, takes_budget=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduction_factor": 1}, "reduction_factor must be a whole number from 2 up, got 1"),
        ({"reduction_factor": 2.5}, "reduction_factor must be a whole number from 2 up, got 2.5"),
        ({"resource_min": 0}, "resource_min must be a number greater than 0, got 0"),
        ({"resource_max": nan}, "resource_max must be a number greater than 0, got nan"),
        ({"resource_min": 9, "resource_max": 3}, "resource_min=9 must not be greater than resource_max=3"),
        ({"form": "pausing"}, "form must be 'promotion', 'stopping' or None, got 'pausing'"),
        ({"brackets": 0}, "brackets must be a whole number from 1 up, got 0"),
        ({"sampler": "tp"}, "unknown sampler 'tp'"),
        ({"sampler": 3}, "sampler must be one of .*, a Sampler .*, got 3"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Asha(**arguments)


def test_there_cannot_be_more_brackets_than_rungs():
    with pytest.raises(ConfigError, match="brackets=4 is too many: there are 3 rungs, with the budgets 1, 2, 4"):
        Stage(Asha(brackets=4), space)
