"""Whole experiments, whose every second can be told by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from simulation.helpers import grid_of, search_of, times

from maggy import Searchspace, lagom, simulate
from maggy.config import BaseConfig, HyperparameterOptConfig
from maggy.earlystop import StoppingRule, Verdict, time_budget
from maggy.errors import ConfigError
from maggy.optimizer import PBT, Asha, Optimizer, SuccessiveHalving
from maggy.simulation import LearningCurve, Losses, Stragglers
from maggy.trial import TrialState

SLOW_QUICK_MIDDLE = [LearningCurve([3, 2, 1], 2.0), LearningCurve([4, 4, 4, 4], 1.0), LearningCurve([2, 3], 2.5)]


def test_two_workers_and_three_trials():
    result = simulate(grid_of(3), lambda params: SLOW_QUICK_MIDDLE[params["number"]], workers=2)
    assert times(result) == {1: (1, 0.0, 4.0), 0: (0, 0.0, 6.0), 2: (1, 4.0, 9.0)}
    assert [trial.final_metric for trial in result.trials] == [4.0, 1.0, 3.0]
    assert (result["best_id"], result["best_val"], result.best.best_metric) == (0, 1.0, 1.0)
    assert result.simulated_s == 9.0
    assert result.busy_share == (6 + 9) / (9 + 9)
    # a driver that starts, two workers that join, three suggestions and ends, and 3 + 4 + 2 reports
    assert result.num_events == 1 + 2 + 3 + 3 + 9


def test_there_are_never_more_workers_than_trials():
    result = simulate(grid_of(2), lambda params: LearningCurve([1.0]), workers=1000)
    assert (result.busy_share, result.simulated_s) == (1.0, 1.0)


class StopAt(StoppingRule):
    """Stops trials with an odd number at step 2."""

    def judge(self, curve, finished):
        return Verdict(stop=curve.steps[-1] == 2 and curve.values[-1] % 2 == 1, reason="odd")


def test_a_rule_stops_a_trial_at_the_very_step_that_it_judges():
    config = grid_of(3, es_policy=StopAt(), es_min=0)
    result = simulate(config, lambda params: LearningCurve([params["number"]] * 5, 2.0), workers=1)
    assert times(result) == {0: (0, 0.0, 10.0), 1: (0, 10.0, 14.0), 2: (0, 14.0, 24.0)}
    stopped = result.trials[1]
    assert (stopped.state, stopped.reason, stopped.num_points) == (TrialState.STOPPED, "odd", 2)


def test_a_rule_with_an_interval_judges_its_steps_only():
    class Judged(StoppingRule):
        steps: list[int] = []  # noqa: RUF012

        def judge(self, curve, finished):
            self.steps.append(curve.steps[-1])
            return Verdict(stop=False)

    simulate(grid_of(2, es_policy=Judged(), es_min=0, es_interval=2), lambda p: LearningCurve([0.5] * 5), workers=1)
    assert Judged.steps == [2, 4]  # of the second trial: before, none had a result


def test_when_a_time_budget_is_spent_running_trials_stop_at_their_next_step():
    config = grid_of(100, es_policy=time_budget("100s"))
    result = simulate(config, lambda params: LearningCurve([0.5], 30.0), workers=2)
    assert [trial.state for trial in result.trials] == [TrialState.FINISHED] * 6 + [TrialState.STOPPED] * 2
    assert {trial.end for trial in result.trials} == {30.0, 60.0, 90.0, 120.0}
    assert result.simulated_s == 120.0


# --- promotions


FOUR = {0: 0.4, 1: 0.3, 2: 0.2, 3: 0.1}


@pytest.mark.parametrize(
    ("resumes", "seconds"),
    [
        (True, 10 * (4 * 1 + 2 * 1 + 1 * 2)),  # each goes on from where it was
        (False, 10 * (4 * 1 + 2 * 2 + 1 * 4)),  # each begins anew
    ],
)
def test_a_promotion_costs_what_is_left_of_the_budget_or_all_of_it(resumes, seconds):
    config = search_of(4, SuccessiveHalving([(1, 2), (2, 1), (4, 1)]))
    result = simulate(config, lambda params: LearningCurve([params["x"]] * 9, 10.0), workers=1, seed=3, resumes=resumes)
    assert result.simulated_s == seconds
    ranked = sorted(result.trials, key=lambda trial: trial.params["x"])
    assert [trial.num_points for trial in ranked] == [4, 2, 1, 1]
    assert [[budget for budget, _ in trial.rungs] for trial in ranked] == [[1, 2, 4], [1, 2], [1], [1]]
    assert sum(trial.run_s for trial in ranked) == seconds


def test_a_budget_beyond_the_end_of_the_curve_is_its_end():
    config = search_of(4, SuccessiveHalving([(2, 1), (100, 1)]))
    result = simulate(config, lambda params: LearningCurve([params["x"]] * 3), workers=1, resumes=True)
    assert sorted(trial.num_points for trial in result.trials) == [2, 2, 2, 3]


def test_without_a_budget_asha_stops_trials_and_with_one_it_promotes_them():
    def curves(params):
        return LearningCurve([params["x"]] * 9)

    stopping = simulate(search_of(30, Asha(3, 1, 9)), curves, workers=3, seed=1, takes_budget=False)
    assert {trial.budget for trial in stopping.trials} == {None}
    assert any("best 1/3 go on" in (trial.reason or "") for trial in stopping.trials)
    promotion = simulate(search_of(30, Asha(3, 1, 9)), curves, workers=3, seed=1, resumes=True)
    assert {trial.budget for trial in promotion.trials} == {1, 3, 9}


def test_a_member_of_a_population_begins_where_its_parent_was():
    config = search_of(8, PBT(interval=2, budget_max=8))
    result = simulate(config, lambda params: LearningCurve([params["x"]] * 8), workers=4, seed=1, resumes=True)
    children = [trial for trial in result.trials if trial.parent is not None]
    assert children
    for child in children:
        assert child.rungs[0][0] > 2
        assert child.run_s == child.num_points == 2 * len(child.rungs)  # and not what its parent has done


# --- compared with real runs


def test_one_worker_has_the_trials_of_a_real_run():
    def value(x, y, step):
        return x + y / step

    def train(x, y, budget, reporter):
        done = reporter.load_checkpoint() or 0
        for step in range(done + 1, budget + 1):
            reporter.broadcast(value(x, y, step), step=step)
        reporter.save_checkpoint(budget)
        return value(x, y, budget)

    def curves(params):
        return LearningCurve([value(**params, step=step) for step in range(1, 10)])

    config = search_of(15, Asha(3, 1, 9), seed=4)
    real, simulated = (
        lagom(train, config, engine="inline", verbose=0),
        simulate(config, curves, workers=1, resumes=True),
    )
    assert dict(real) == dict(simulated)
    told = [
        [
            (trial.trial_id, trial.params, trial.state, trial.num_points, trial.best_metric, trial.rungs, trial.notes)
            for trial in result.trials
        ]
        for result in (real, simulated)
    ]
    assert told[0] == told[1]


# --- once more


def everything(seed):
    return simulate(
        search_of(60, Asha(3, 1, 27)),
        lambda params: LearningCurve([params["x"] + params["y"] / step for step in range(1, 28)], 0.5 + params["y"]),
        workers=7,
        seed=seed,
        resumes=True,
        checkpoint_every=2,
        start_s=10.0,
        losses=Losses(mtbf_s=20.0, restart_s=2.0),
        stragglers=Stragglers(share=0.3, factor=3.0),
    )


def test_the_same_seed_has_the_same_result_and_another_seed_another():
    one, again, other = everything(1), everything(1), everything(2)
    assert (one, one.trials, vars(one)) == (again, again.trials, vars(again))
    assert any(trial.attempt > len(trial.rungs) - 1 for trial in one.trials), "nobody was lost"
    assert one != other


def test_without_a_seed_the_result_says_which_was_drawn():
    config = search_of(5)
    one = simulate(config, lambda params: params["x"], workers=1)
    assert one == simulate(config, lambda params: params["x"], workers=1, seed=one.seed)
    config.seed = 7
    assert simulate(config, lambda params: params["x"], workers=1).seed == 7


# --- what goes wrong


def test_an_optimizer_that_raises_ends_the_simulation_with_its_error():
    class Broken(Optimizer):
        def suggest(self, n, rng):
            raise ZeroDivisionError("no idea")

    with pytest.raises(ZeroDivisionError, match="no idea"):
        simulate(search_of(5, Broken()), lambda params: 0.5, workers=2)


def test_ctrl_c_ends_the_simulation():
    def curves(params):
        if params["number"] == 3:
            raise KeyboardInterrupt
        return LearningCurve([0.5] * 5)

    with pytest.raises(KeyboardInterrupt):
        simulate(grid_of(9), curves, workers=2)


def test_a_rule_that_raises_is_a_warning_and_its_trials_go_on():
    class Broken(StoppingRule):
        def judge(self, curve, finished):
            raise ZeroDivisionError

    config = grid_of(3, es_policy=Broken(), es_min=0)
    with pytest.warns(RuntimeWarning, match="the stopping rule failed"):
        result = simulate(config, lambda params: LearningCurve([0.5] * 3), workers=1)
    assert result["num_trials"] == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 0}, "workers has to be a whole number of at least 1"),
        ({"workers": 1, "start_s": -1.0}, "start_s has to be"),
        ({"workers": 1, "checkpoint_every": 2}, "goes with resumes=True"),
        ({"workers": 1, "resumes": True, "checkpoint_every": 0}, "whole number of at least 1"),
    ],
)
def test_bad_input_is_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        simulate(grid_of(2), lambda params: 0.5, **options)


def test_only_searches_can_be_simulated():
    with pytest.raises(ConfigError, match="simulate plays a HyperparameterOptConfig"):
        simulate(BaseConfig(), lambda params: 0.5, workers=1)


# --- many


def test_a_thousand_workers_and_five_thousand_trials():
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]), y=("DOUBLE", [0.0, 1.0]))
    config = HyperparameterOptConfig(5000, Asha(3, 1, 9), space, direction="min", es_policy="none")
    result = simulate(
        config,
        lambda params: LearningCurve([params["x"] + 1 / step for step in range(1, 10)], 1.0 + params["y"]),
        workers=1000,
        seed=1,
        resumes=True,
        losses=Losses(mtbf_s=100.0, restart_s=1.0),
    )
    assert len(result.trials) == 5000
    by_rung = [sum(len(trial.rungs) > rung for trial in result.trials) for rung in range(3)]
    assert all(0 < above < below / 2 for below, above in pairwise(by_rung))
    assert result.best.rungs[-1][0] == 9
