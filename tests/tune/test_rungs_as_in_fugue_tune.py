"""What the public tests of Fugue-Tune 0.1.6 say of objectives that run rung after rung, as it is here."""

import pandas as pd
import pytest

from maggy.errors import ConfigError
from maggy.tune import (
    Grid,
    IterativeObjectiveFunc,
    Monitor,
    RandInt,
    Space,
    Trial,
    TrialReport,
    TuneDatasetBuilder,
    optimize_by_hyperband,
    optimize_by_sha,
    suggest_by_continuous_asha,
    suggest_by_hyperband,
    suggest_by_sha,
    validate_iterative_objective,
)

TABLE = pd.DataFrame({"key": [0, 1, 0], "x": [1, 1, 2]})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return str(tmp_path)


class Curves(IterativeObjectiveFunc):
    """Reads the metric of each iteration off a table, and knows where it is from a checkpoint only."""

    rows = ((9, 3, 1, 1), (8, 6, 5, 5), (8, 5, 4, 3), (7, 4, 3, 4))
    sign = 1

    def initialize(self):
        self.done = 0

    def run_single_iteration(self):
        self.done += 1
        return TrialReport(self.current_trial, self.rows[self.current_trial.params["a"]][self.done - 1])

    def generate_sort_metric(self, metric):
        return self.sign * metric

    def save_checkpoint(self, fs):
        fs.writetext("done", str(self.done))

    def load_checkpoint(self, fs):
        self.done = int(fs.readtext("done"))


class Climbing(Curves):
    sign = -1


class Seen(Monitor):
    def __init__(self):
        self.reports = []

    def on_report(self, report):
        self.reports.append(report)


FOUR = Space(a=Grid(0, 1, 2, 3))


@pytest.mark.parametrize(
    ("plan", "metric", "rung"),
    [([(1.0, 3), (1.0, 2), (1.0, 1), (1.0, 1)], 4.0, 3), ([[2.0, 2], [1.0, 1], [1.0, 1]], 1.0, 2)],
)
def test_halving_returns_the_last_report_of_those_that_ran_the_last_rung(plan, metric, rung):
    seen = Seen()
    reports = suggest_by_sha(Curves(), FOUR, plan, top_n=0, monitor=seen, verbose=0)
    assert [(report.metric, report.rung) for report in reports] == [(metric, rung)]
    assert len(seen.reports) == 4 + sum(keep for _, keep in plan[:-1])


def test_the_last_rung_keeps_all_and_a_rung_that_keeps_more_than_there_are_drops_none():
    reports = suggest_by_sha(Curves(), FOUR, [(1, 3), (1, 2)], top_n=0, verbose=0)
    assert [report.metric for report in reports] == [4.0, 5.0, 6.0]
    reports = suggest_by_sha(Curves(), FOUR, [(1, 10), (1, 20)], top_n=0, verbose=0)
    assert [report.metric for report in reports] == [3.0, 4.0, 5.0, 6.0]


def test_a_rung_runs_iterations_until_their_cost_reaches_its_budget():
    best = suggest_by_sha(Curves(), FOUR, [(2.5, 2), (1.0, 1)], top_n=0, verbose=0)
    assert [(report.metric, report.cost) for report in best] == [(1.0, 1.0), (4.0, 1.0)]
    assert suggest_by_sha(Curves(), FOUR, [(2.5, 1)], verbose=0)[0].cost == 3.0


def test_larger_is_better_where_the_sort_metric_says_so():
    for suggest in (suggest_by_sha, suggest_by_continuous_asha):
        reports = suggest(Climbing(), FOUR, [(1.0, 3), (1.0, 2)], top_n=1, verbose=0)
        assert [(report.metric, report.sort_metric) for report in reports] == [(6.0, -6.0)]


def test_each_partition_is_halved_by_itself():
    for suggest in (suggest_by_sha, suggest_by_continuous_asha):
        reports = suggest(Curves(), FOUR, [(1, 2), (1, 1)], train_df=TABLE, partition_keys=["key"], top_n=1, verbose=0)
        assert [report.trial.keys for report in reports] in ([[0], [1]], [[1], [0]])
        assert len({report.metric for report in reports}) == 1


def test_hyperband_divides_the_candidates_among_its_plans():
    dataset = TuneDatasetBuilder(FOUR).build()
    plans = [[(1.0, 3), (1.0, 2), (1.0, 1), (1.0, 1)], [(2.0, 2), (1.0, 1), (1.0, 1)]]
    study = optimize_by_hyperband(Curves(), dataset, plans, verbose=0)
    assert sorted(report.rung for report in study.result()) == [2, 3]  # the last one of each plan
    assert len(study.result(1)) == 1
    reports = suggest_by_hyperband(Curves(), FOUR, plans, top_n=0, verbose=0)
    assert [report.metric for report in reports] == [report.metric for report in study.result()]


@pytest.mark.parametrize("plan", [[(1.0, 3), (1.0, 2), (1.0, 1), (1.0, 1)], [(2.0, 2), (1.0, 1), (1.0, 1)]])
def test_continuous_asha_finds_the_best_with_a_report_of_all_that_began(plan):
    reports = suggest_by_continuous_asha(Curves(), FOUR, plan, top_n=0, verbose=0)
    assert reports[0].metric == 1.0 and reports[0].rung == len(plan) - 1
    assert [report.sort_metric for report in reports] == sorted(report.sort_metric for report in reports)


def test_what_is_random_has_to_be_sampled_before_rungs():
    space = Space(a=RandInt(0, 3))
    for suggest, plan in (
        (suggest_by_sha, [(1, 1)]),
        (suggest_by_hyperband, [[(1, 1)]]),
        (suggest_by_continuous_asha, [(1, 1)]),
    ):
        with pytest.raises(ConfigError, match="sample"):
            suggest(Curves(), space, plan, verbose=0)
    with pytest.raises(ConfigError, match="IterativeObjectiveFunc"):
        suggest_by_sha(lambda a: 1.0, FOUR, [(1, 1)], verbose=0)


def test_the_best_of_a_study_are_the_candidates_of_the_next():
    study = optimize_by_sha(Curves(), TuneDatasetBuilder(FOUR).build(), [(1, 4)], verbose=0)
    kept = study.next_tune_dataset(2)
    again = optimize_by_sha(Curves(), kept, [(3, 2)], verbose=0)
    assert {trial.params["a"] for trial in kept.trials} <= {1, 2, 3} and len(again.result()) == 2
    study.union_with(again)
    assert len(study.result()) == 4 and len({report.trial_id for report in study.result()}) == 4


@pytest.mark.parametrize("continuous", [True, False])
def test_an_iterative_objective_is_run_through_its_rungs_here(continuous, folder):
    reports = []
    trial = Trial("abc", {"a": 0})
    validate_iterative_objective(Curves(), trial, [1, 2, 1], reports.extend, continuous, checkpoint_path=folder)
    assert [(report.metric, report.rung, report.cost) for report in reports] == [(9, 0, 1), (1, 1, 2), (1, 2, 1)]
