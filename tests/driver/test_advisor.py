"""The policies are asked in a way that can be repeated, and may fail without taking the experiment with them."""

import itertools

import numpy as np
import pytest
from driver.helpers import Listed, StopAbove, advisor

from maggy.brain.events import Exhausted, Idled, Judged, Promoted, Suggested
from maggy.earlystop import AbstractEarlyStop, EarlyStopAdapter, StoppingRule
from maggy.errors import ConfigError
from maggy.optimizer import Draws, Promotion, RandomSearch, Sampler
from maggy.trial import Trial, TrialState


def ask(made, number):
    """An answer that becomes a fact at once."""
    answer = made.ask(number)
    if isinstance(answer, Suggested):
        made.take(answer)
    return answer


def run(made, trial, *values, state=TrialState.FINISHED):
    """Let a suggested trial report these and end."""
    made.book.start(trial, attempt=0, workers=[0], t=0.0)
    made.book.report(trial, list(range(1, len(values) + 1)), list(values))
    made.observe(made.book.settle(trial, state, None, t=1.0), 1.0)


# --- the optimizer


def test_the_answers_of_an_optimizer_become_events_with_trials_numbered_from_zero():
    made = advisor(Listed({"lr": np.float64(0.5)}, "IDLE", {"lr": 0.25}, None))
    assert ask(made, 0) == Suggested(ask=0, trial=0, params={"lr": 0.5})
    assert type(made.book.running[0].params["lr"]) is float
    assert ask(made, 1) == Idled(ask=1)
    assert ask(made, 2) == Suggested(ask=2, trial=1, params={"lr": 0.25})
    assert ask(made, 3) == Exhausted(ask=3)
    assert list(made.book.running) == [0, 1]


def test_the_nth_configuration_depends_on_the_seed_and_its_number_and_on_nothing_else():
    def draws(*asks, seed=7):
        made = advisor(RandomSearch(), seed=seed)
        return [ask(made, number).params for number in asks]

    assert draws(0, 1, 2) == draws(0, 1, 2) == draws(0, 5, 9)
    assert draws(0, 1)[0] != draws(0, 1)[1]
    assert draws(0) != draws(0, seed=8)


def test_the_generator_is_the_one_that_the_seed_and_the_number_make():
    optimizer = Listed({"lr": 0.1}, {"lr": 0.1})
    made = advisor(optimizer, seed=7)
    ask(made, 0)
    ask(made, 5)
    assert optimizer.draws == [int(np.random.default_rng([7, number, 2]).integers(1000)) for number in (0, 5)]


@pytest.mark.parametrize(("direction", "loss"), [("min", 0.5), ("max", -0.5)])
def test_an_optimizer_is_told_losses_whatever_the_direction(direction, loss):
    optimizer = Listed({"lr": 0.1}, {"lr": 0.2})
    made = advisor(optimizer, direction=direction)
    ask(made, 0)
    ask(made, 1)
    run(made, 0, 0.9, 0.5)
    run(made, 1, 0.9, state=TrialState.FAILED)
    assert optimizer.reports == [(0, loss), (1, None)]


def test_an_optimizer_sees_what_runs_and_what_has_ended():
    optimizer = Listed({"lr": 0.1}, {"lr": 0.2})
    made = advisor(optimizer, num_trials=12, direction="max")
    ask(made, 0)
    ask(made, 1)
    run(made, 0, 0.5)
    assert list(optimizer.setting.running) == [1]
    assert [trial.trial_id for trial in optimizer.setting.finished] == [0]
    assert (optimizer.setting.num_trials, optimizer.setting.direction) == (12, "max")


def test_an_optimizer_that_has_nothing_to_try_is_an_error_before_anything_starts():
    class Empty(Listed):
        def prepare(self, setting):
            return 0

    with pytest.raises(ConfigError, match="there is nothing to try"):
        advisor(Empty())


def test_an_optimizer_that_waits_for_nothing_is_wondered_at_once():
    warnings = []
    made = advisor(Listed("IDLE", "IDLE", {"lr": 0.1}, "IDLE"), warn=warnings.append)
    assert ask(made, 0) == Idled(ask=0)
    assert ask(made, 1) == Idled(ask=1)
    assert warnings == ["the optimizer says IDLE although no trial is running; it is asked again every second"]
    ask(made, 2)
    ask(made, 3)
    assert len(warnings) == 1


def test_the_end_is_told():
    optimizer = Listed()
    advisor(optimizer).finalize()
    assert optimizer.finalized


# --- the rule


def judged(made, trial, *values):
    """The verdict for a running trial that has reported these."""
    made.book.start(trial, attempt=0, workers=[0], t=0.0)
    made.book.report(trial, list(range(1, len(values) + 1)), list(values))
    return made.judge(trial, 0, len(values))


def five(rule, **settings):
    made = advisor(Listed(*[{"lr": 0.1}] * 5), rule, **settings)
    for number in range(5):
        ask(made, number)
    return made


def test_a_rule_is_asked_about_losses_in_either_direction():
    assert judged(five(StopAbove(0.5), es_min=-1), 0, 0.4, 0.6).stop
    assert not judged(five(StopAbove(0.5), es_min=-1), 0, 0.6, 0.4).stop
    assert judged(five(StopAbove(-0.5), es_min=-1, direction="max"), 0, 0.6, 0.4).stop
    assert not judged(five(StopAbove(-0.5), es_min=-1, direction="max"), 0, 0.4, 0.6).stop


def test_a_verdict_carries_what_it_is_about_and_why():
    assert judged(five(StopAbove(0.5), es_min=-1), 3, 0.4, 0.6) == Judged(
        trial=3, attempt=0, step=2, stop=True, reason="above 0.5"
    )


def test_nobody_is_stopped_before_more_than_es_min_trials_have_a_result():
    made = five(StopAbove(0.5), es_min=2)
    run(made, 0, 0.1)
    run(made, 1, 0.1, state=TrialState.FAILED)  # no result
    run(made, 2, 0.1, state=TrialState.STOPPED)  # a result
    assert not judged(made, 4, 0.9).stop
    run(made, 3, 0.1)
    assert judged(made, 4, 0.9).stop


def test_a_rule_that_fails_is_reported_once_and_stops_nothing_from_then_on():
    class Broken(StoppingRule):
        asked = 0

        def judge(self, curve, finished):
            self.asked += 1
            raise ZeroDivisionError("no median of nothing")

    rule, warnings = Broken(), []
    made = five(rule, es_min=-1, warn=warnings.append)
    assert not judged(made, 0, 0.9).stop
    assert not judged(made, 1, 0.9).stop
    assert rule.asked == 1
    assert len(warnings) == 1
    assert warnings[0].startswith("the stopping rule failed and stops nothing from here on:\nTraceback")
    assert warnings[0].endswith("ZeroDivisionError: no median of nothing\n")


def test_a_rule_of_the_developer_api_sees_trials_in_the_users_sign_and_only_those_with_a_result():
    seen = []

    class Watching(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            seen.append((to_check.metric_history, [trial.trial_id for trial in finalized_trials], direction))
            return to_check.trial_id

    made = five(EarlyStopAdapter(Watching()), direction="max")
    run(made, 0, 0.1)
    run(made, 1, 0.1, state=TrialState.LOST)
    assert judged(made, 2, 0.5, 0.75).stop
    assert seen == [([0.5, 0.75], [0], "max")]
    assert list(made.book.finished) == []  # no losses are kept for it


def test_an_optimizer_that_reads_curves_does_not_keep_its_trials_in_memory(monkeypatch):
    class Curious(RandomSearch):
        needs_curves = True

    monkeypatch.setattr("maggy.driver.advisor.KEPT", 1)
    made = advisor(Curious(), seed=7)
    for number in range(3):
        ask(made, number)
        run(made, number, 0.5, 0.25)
    assert made.book.ended.in_memory == 1 and made.book.results == []
    assert [trial.metric_history for trial in made.book.ended] == [[0.5, 0.25]] * 3


@pytest.mark.parametrize(("rule", "judges"), [(None, False), (StopAbove(1.0), True)])
def test_without_a_rule_nothing_is_judged_and_no_curve_kept(rule, judges):
    made = advisor(Listed({"lr": 0.1}), rule)
    ask(made, 0)
    assert made.judge_every == judges
    run(made, 0, 0.5)
    assert len(made.book.finished) == judges


def test_a_trial_of_the_optimizer_is_the_trial_of_the_book():
    suggestion = Trial({"lr": 0.1}, {"sample_type": "random"})
    made = advisor(Listed(suggestion))
    ask(made, 0)
    assert made.book.running[0] is suggestion
    assert (suggestion.trial_id, suggestion.info_dict) == (0, {"sample_type": "random"})


# --- promotions, and what samplers are told


def to_budget(budget, trial=0, *, resumable=False):
    return Promotion(trial=trial, budget=budget, reason="the best of 1", rung=1, resumable=resumable)


def test_a_promotion_is_a_fact_with_its_reason_and_the_sampler_counts_the_trial_as_running_again():
    first = Trial({"lr": 0.1}, budget=1, resumable=True)
    made = advisor(Listed(first, to_budget(3)))
    ask(made, 0)
    assert list(made.draws.history.pending) == [0]
    made.book.start(0, attempt=0, workers=[0], t=0.0)
    made.book.note(0, final_metric=0.5)
    made.observe(made.book.settle(0, TrialState.FINISHED, None, t=1.0), 1.0, budget=1)
    assert made.draws.history.pending == {}
    answer = made.ask(1)
    assert answer == Promoted(ask=1, trial=0, budget=3, reason="the best of 1", rung=1)
    assert made.book.running == {}, "it is no fact yet"
    made.promote(answer)
    assert list(made.draws.history.pending) == list(made.book.running) == [0]


def test_a_sampler_learns_at_which_budget_a_trial_was_observed_or_failed():
    first = Trial({"lr": 0.1}, budget=1, resumable=True)
    optimizer = Listed(first, to_budget(3, resumable=True), to_budget(9))
    made = advisor(optimizer, direction="max")
    ask(made, 0)
    for attempt, (metric, state, fell_back) in enumerate(
        [(0.5, TrialState.FINISHED, False), (0.7, TrialState.FINISHED, False), (None, TrialState.FINISHED, True)]
    ):
        if attempt:
            made.promote(made.ask(attempt))
        made.book.start(0, attempt, workers=[0], t=0.0)
        made.book.note(0, final_metric=metric)
        budget = made.book.running[0].budget
        error = "KeyError" if fell_back else None
        trial = made.book.settle(0, state, error, 1.0, fell_back=fell_back)
        made.observe(trial, 1.0, budget=budget, fell_back=fell_back)
    observed = [(each.budget, each.loss) for each in made.draws.history.observations]
    assert observed == [(1, -0.5), (3, -0.7), (9, None)]
    assert optimizer.reports == [(0, -0.5), (0, -0.7), (0, None)]
    assert (trial.final_metric, trial.budget, trial.error) == (0.7, 3, "KeyError")


def test_a_trial_that_was_stopped_on_its_way_to_a_budget_counts_for_none():
    made = advisor(Listed(Trial({"lr": 0.1}, budget=9)))
    ask(made, 0)
    made.book.start(0, attempt=0, workers=[0], t=0.0)
    made.book.report(0, [1], [0.5])
    made.observe(made.book.settle(0, TrialState.STOPPED, None, t=1.0), 1.0, budget=9)
    assert [(each.budget, each.loss) for each in made.draws.history.observations] == [(None, 0.5)]


class Moody(Sampler):
    """A model that never draws the same again."""

    fits_models = True
    origin = "model"
    draws = itertools.count()

    def draw(self, number, history, rng):
        return {"lr": 1 / (2 + next(self.draws))}


def test_the_draws_of_a_model_are_taken_from_the_journal_and_none_is_made_for_them():
    made = advisor(Moody())
    answers = [ask(made, number) for number in range(3)]
    drawn = next(Moody.draws)
    again = advisor(Moody())
    again.recall = lambda number: answers[number]
    assert [ask(again, number) for number in range(3)] == answers
    assert next(Moody.draws) == drawn + 1, "a draw was made"
    checked = advisor(Moody())
    checked.recall, checked.draws.checks = again.recall, True
    assert ask(checked, 0) != answers[0]


def test_what_was_drawn_in_the_place_of_a_model_is_drawn_again_with_its_reason():
    class Late(Draws):
        def _model_draw(self):
            return self._random(self._number, "fallback", "the model was still at work")

    made = advisor(Moody(), make_draws=Late)
    answers = [ask(made, number) for number in range(3)]
    assert {(answer.origin, answer.reason, answer.saw) for answer in answers} == {
        ("fallback", "the model was still at work", None)
    }
    again = advisor(Moody())  # whose model is never late
    again.recall, again.draws.checks = lambda number: answers[number], True
    assert [ask(again, number) for number in range(3)] == answers
