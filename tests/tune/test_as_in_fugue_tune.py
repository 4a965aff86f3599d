"""What the public tests of Fugue-Tune 0.1.6 say of its calls, as it is here.

`docs/coming-from-fugue-tune.md` lists the behaviours, those that differ too.
"""

import pickle
from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from maggy.errors import ConfigError, ExperimentFailedError
from maggy.tune import (
    Choice,
    FuncParam,
    Grid,
    Monitor,
    NonIterativeObjectiveFunc,
    Rand,
    RandInt,
    Space,
    Trial,
    TrialReport,
    TuneDatasetBuilder,
    TuningParametersTemplate,
    n_samples,
    n_updates,
    no_update_period,
    noniterative_objective,
    optimize_noniterative,
    small_improvement,
    suggest_for_noniterative_objective,
    to_noniterative_objective,
    validate_noniterative_objective,
)

TABLE = pd.DataFrame({"key": [0, 1, 0], "x": [1, 1, 2]})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return str(tmp_path)


class Seen(Monitor):
    def __init__(self):
        self.reports = []

    def on_report(self, report):
        self.reports.append(report)


def try_all(objective, space, **settings):
    return suggest_for_noniterative_objective(objective, space, **{"top_n": 0, "verbose": 0, **settings})


def values(space):
    return [dict(TuningParametersTemplate(cell)) for cell in space]


def square_and_rows(a: float, rows: pd.DataFrame) -> float:
    return a**2 + len(rows)


# --- spaces


def test_iterating_over_a_space_expands_its_grids_again_and_again():
    space = Space(a=1, b=[Grid(2, 3), {"c": Grid("x", None)}])
    expected = [{"a": 1, "b": [b, {"c": c}]} for b in (2, 3) for c in ("x", None)]
    assert values(space) == values(space) == expected


def test_sums_are_unions_and_products_have_the_keys_of_both():
    one, two = Space(a=1, b=Grid(2, 3)), Space(c=Grid("a", "b"))
    assert values(one + two) == values(sum([one, two])) == [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"c": "a"}, {"c": "b"}]
    assert values(one * two) == [{"a": 1, "b": b, "c": c} for b in (2, 3) for c in ("a", "b")]
    assert len(values(one * (Space(c="a") + Space(c="b")))) == 4
    with pytest.raises(ValueError, match="both sides"):
        one * Space(a=2)


def test_samples_replace_what_is_random_and_leave_grids():
    space = Space(a=1, b=[Grid(1, 2), Rand(0.0, 1.0)], c=Choice("a", "b"))
    assert values(space.sample(5, 0)) == values(space.sample(5, 0)) != values(space.sample(5, 1))
    sampled = values(space.sample(5, 0))
    assert len(sampled) == 10 and len({each["b"][1] for each in sampled}) == 5
    assert not space.sample(5).has_stochastic
    assert len(values(Space(a=Grid(1, 2)).sample(100))) == 2
    assert len(values((Space(a=Rand(0, 1)) + Space(a=RandInt(0, 9))).sample(3))) == 6  # for each part of a union


def test_one_expression_in_two_places_is_one_variable_which_functions_see():
    both = Grid(0, 1)
    space = Space(a=both, b=FuncParam(lambda x, y: x + 10 * y, x=both, y=both))
    assert values(space) == [{"a": 0, "b": 0}, {"a": 1, "b": 11}]


def test_a_template_is_filled_in_the_order_of_its_expressions():
    rate = Rand(0, 1)
    template = TuningParametersTemplate({"a": rate, "b": {"x": [rate, Rand(2, 4)]}, "c": None})
    assert list(template.params_dict) == ["p0", "p1"] and template.has_stochastic and not template.has_grid
    assert template.fill([0.5, 3.0]) == {"a": 0.5, "b": {"x": [0.5, 3.0]}, "c": None}
    assert template.fill_dict({"p1": 3.0, "p0": 0.5}) == template.fill([0.5, 3.0])
    assert TuningParametersTemplate.decode(template.encode()) == template
    with pytest.raises(ValueError, match="left to choose"):
        _ = template.simple_value


# --- trials, reports, objectives


def test_the_id_of_a_trial_follows_from_its_keys_and_parameters():
    first, again, other_key, other = (
        Trial.of({"a": 1}, [0]),
        Trial.of({"a": 1}, [0], metadata={"m": 1}),
        Trial.of({"a": 1}, [1]),
        Trial.of({"a": 2}, [0]),
    )
    assert first.trial_id == again.trial_id
    assert len({first.trial_id, other_key.trial_id, other.trial_id}) == 3


def test_a_report_drops_the_tables_of_its_trial_and_changes_only_as_a_copy():
    trial = Trial("abc", {"a": 1}, {"b": 2}, keys=["k"], dfs={"t": TABLE})
    report = pickle.loads(pickle.dumps(TrialReport(trial, "0.5", metadata={"d": 4}, log_time=datetime(2021, 5, 26))))
    assert (report.metric, report.sort_metric, report.cost, report.rung) == (0.5, 0.5, 1.0, 0)
    assert report.trial.dfs == {} and report.trial.keys == ["k"] and report.params == {"a": 1}
    assert (report.with_cost(3).cost, report.with_rung(5).rung, report.with_sort_metric(-1).sort_metric) == (3, 5, -1)
    assert report.reset_log_time().log_time > report.log_time == datetime(2021, 5, 26) and report.cost == 1.0


@pytest.mark.parametrize("min_better", [True, False])
def test_functions_are_objectives_of_their_parameters_and_stay_functions(min_better):
    def difference(a, b: int) -> float:
        return a - b

    objective = to_noniterative_objective(difference, min_better=min_better)
    report = objective.safe_run(Trial("abc", {"b": 20, "a": 10}))
    assert report.metric == -10 and report.sort_metric == (-10 if min_better else 10)
    assert noniterative_objective(difference)(1, 2) == -1
    assert noniterative_objective(min_better=min_better)(difference)(1, b=2) == -1


def test_an_objective_may_return_metadata_or_take_the_trial_and_return_its_report():
    def with_metadata(a) -> tuple[float, dict[str, Any]]:
        return a, {"c": 5}

    def whole(t: Trial) -> TrialReport:
        return TrialReport(t, t.params["a"], params={"a": 1}, metadata={"c": 6})

    class Objective(NonIterativeObjectiveFunc):
        def run(self, trial):
            return TrialReport(trial, trial.params.simple_value["a"], metadata={"c": 7})

    trial = Trial("abc", {"a": 10})
    reports = [to_noniterative_objective(each).safe_run(trial) for each in (with_metadata, whole, Objective())]
    assert [report.metric for report in reports] == [10, 10, 10]
    assert [report.metadata["c"] for report in reports] == [5, 6, 7]
    assert [report.params["a"] for report in reports] == [10, 1, 10]
    with pytest.raises(ConfigError):
        to_noniterative_objective("abc")


# --- one run for each candidate


@pytest.mark.parametrize("distributed", [True, False, None])
def test_all_candidates_are_tried_on_the_table_the_best_first(folder, distributed):
    reports = try_all(
        square_and_rows, Space(a=Grid(-2, 0, 1)), df=TABLE, df_name="rows", distributed=distributed, temp_path=folder
    )
    assert [report.metric for report in reports] == [3.0, 4.0, 7.0]
    best = try_all(noniterative_objective(lambda a: a, min_better=False), Space(a=Grid(-2, 0, 1)), top_n=2)
    assert [(report.metric, report.sort_metric) for report in best] == [(1.0, -1.0), (0.0, 0.0)]


def test_each_key_of_a_table_is_a_study_of_its_own():
    seen = Seen()
    dataset = TuneDatasetBuilder(Space(a=Grid(-2, 0, 1))).add_df("rows", TABLE).build(["key"])
    study = optimize_noniterative(square_and_rows, dataset, monitor=seen, verbose=0)
    assert [report.metric for report in study.result()] == [1.0, 2.0, 2.0, 3.0, 5.0, 6.0]
    assert {tuple(report.trial.keys): report.metric for report in study.result(1)} == {(0,): 2.0, (1,): 1.0}
    assert len(seen.reports) == 6


def test_tables_are_joined_by_their_keys_or_put_whole_beside_each():
    other = pd.DataFrame({"key": [0, 3], "y": [1, 2]})
    whole = pd.DataFrame({"z": [1, 2, 3]})
    space = Space(b=Rand(0, 1), c=Grid(2, 3), d=Grid("a", "b"))
    builder = TuneDatasetBuilder(space).add_df("t", TABLE).add_df("o", other, "inner").add_df("w", whole, "cross")
    dataset = builder.build(["key"])
    assert dataset.keys == ["key"] and {tuple(trial.keys) for trial in dataset.trials} == {(0,)}
    assert len(dataset.trials) == 4
    assert {name: len(rows) for name, rows in dataset.tables.open((0,)).items()} == {"t": 2, "o": 1, "w": 3}
    with pytest.raises(ConfigError, match="already"):
        builder.add_df("t", TABLE)


def test_candidates_that_leave_something_to_choose_are_searched_within():
    def objective(a, b, c) -> float:
        return a["x"] ** 2 + b[0] ** 2 + c

    space = Space(a={"x": Rand(-10.0, 10.0)}, b=[RandInt(-10, 10)], c=Grid(2, 3))
    reports = try_all(objective, space, local_optimizer="tpe:60")
    assert [report.params["c"] for report in reports] == [2, 3]
    assert reports[0].metric < 2 + 10 and reports[0].metric == objective(**reports[0].params)
    with pytest.raises(ValueError, match="leaves something to choose"):
        try_all(objective, space)


def test_an_optimizer_leaves_a_candidate_alone_that_is_complete():
    calls = []
    trial = Trial("abc", {"a": 3})
    validate_noniterative_objective(lambda a: calls.append(a) or 1.0, trial, lambda report: None, optimizer="tpe:9")
    assert calls == [3]


def test_a_failing_candidate_costs_itself_only_here():
    def objective(a) -> float:
        if a == -2:
            raise ValueError("expected")
        return a

    assert [report.metric for report in try_all(objective, Space(a=Grid(-2, 0, 1)))] == [0.0, 1.0]
    with pytest.raises(ExperimentFailedError, match="expected"):
        try_all(objective, Space(a=-2))


# --- stoppers


@pytest.mark.parametrize(
    ("stopper", "metrics", "tried"),
    [
        (lambda: n_samples(2), [5, 4, 3], 2),
        (lambda: n_updates(2), [4, 5, 3, 2], 3),  # the first counts
        (lambda: small_improvement(0.9, 1), [5, 4, 3.9, 2], 3),
        (lambda: small_improvement(2.5, 2), [5, 4, 5.1, 3.9, 2], 4),  # no improvement does not count
        (lambda: n_samples(3) & n_updates(3), [5, 6, 4, 3, 2], 4),
        (lambda: n_samples(3) | n_updates(9), [5, 4, 3, 2], 3),
        (lambda: no_update_period("1 day"), [5, 6, 4], 3),
    ],
)
def test_a_stopper_ends_a_search_that_has_seen_enough(stopper, metrics, tried):
    seen = Seen()
    reports = try_all(lambda a: a, Space(a=Grid(*metrics)), stopper=stopper(), shuffle_candidates=False, monitor=seen)
    assert [report.metric for report in reports] == sorted(metrics[:tried])
    assert len(seen.reports) == tried


def test_a_stopper_looks_at_each_partition_by_itself_and_can_be_used_again():
    stopper = n_samples(1)
    for _ in range(2):
        reports = try_all(
            square_and_rows,
            Space(a=Grid(0, 1, 2)),
            df=TABLE,
            df_name="rows",
            partition_keys=["key"],
            stopper=stopper,
            shuffle_candidates=False,
        )
        assert {tuple(report.trial.keys): report.metric for report in reports} == {(0,): 2.0, (1,): 1.0}


# --- before anything is scaled


def test_an_objective_is_run_once_here_and_the_validator_may_refuse():
    def refuse(report):
        raise AssertionError(f"metric {report.metric}")

    with pytest.raises(AssertionError, match=r"metric 3\.0"):
        validate_noniterative_objective(lambda a: a, Trial("abc", {"a": 3}), refuse)
    with pytest.raises(AssertionError, match=r"metric 2\."):
        validate_noniterative_objective(lambda a: a, Trial("abc", {"a": Rand(2, 2.9)}), refuse, optimizer="tpe:2")
