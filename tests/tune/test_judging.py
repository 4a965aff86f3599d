"""Continuous ASHA that the user stops early, in the driver."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tune.objectives import Descent

from maggy.errors import ConfigError
from maggy.tune import (
    Grid,
    Monitor,
    RungHeap,
    Space,
    Trial,
    TrialReport,
    TuneDatasetBuilder,
    optimize_by_continuous_asha,
)

PLAN = [(1, 8), (1, 4), (1, 2)]


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def report(trial_id, metric):
    return TrialReport(Trial(trial_id, {}), metric)


def asha(count=4, plan=PLAN, **settings):
    dataset = TuneDatasetBuilder(Space(a=Grid(*range(count)))).build()
    return optimize_by_continuous_asha(Descent(), dataset, plan, verbose=0, **settings)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30), st.integers(1, 6))
def test_a_rung_keeps_the_best_that_have_come(metrics, capacity):
    heap = RungHeap(capacity)
    assert math.isnan(heap.best)
    for number, metric in enumerate(metrics):
        room = heap.push(report(str(number), metric))
        assert room == (str(number) in heap)
        assert heap.best == min(metrics[: number + 1]) == heap.bests[-1]
    kept = sorted(metrics)[:capacity]
    assert [each.metric for each in heap.values()] == kept and len(heap) == len(kept)
    assert heap.full == (len(metrics) >= capacity)


def test_of_equal_ones_the_first_stays():
    heap = RungHeap(1)
    assert heap.push(report("first", 1.0)) and not heap.push(report("second", 1.0))
    assert "first" in heap and "second" not in heap


def test_a_study_ends_when_the_user_has_seen_enough():
    seen = []

    def enough(keys, rungs):
        seen.append([len(rung) for rung in rungs])
        return len(rungs[0]) >= 2

    study = asha(study_early_stop=enough)
    assert len(study.reports) == 2
    assert seen == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]  # not asked again, once it has said so


def test_a_candidate_stops_where_the_user_says_so():
    asked = []

    def bad(report, history, rungs):
        asked.append((report.trial.params["a"], report.rung, report.cost, [each.rung for each in history]))
        assert report.trial_id not in rungs[report.rung]
        assert all(each.trial_id in rungs[each.rung] for each in history)
        return report.rung == 1 and report.trial.params["a"] != 3

    class Reasons(Monitor):
        seen: list[str] = []  # noqa: RUF012

        def on_judge(self, decision):
            self.seen.append(decision.reason)

    study = asha(trial_early_stop=bad, monitor=Reasons())
    assert sorted((each.trial.params["a"], each.rung) for each in study.reports) == [(0, 1), (1, 1), (2, 1), (3, 2)]
    assert Reasons.seen.count("trial early stop") == 3 and Reasons.seen.count("last") == 1
    assert sorted(asked) == [(a, rung, 1.0, list(range(rung))) for a in range(4) for rung in range(2)]


def test_each_partition_is_judged_on_its_own():
    dataset = TuneDatasetBuilder(Space(a=Grid(1, 2, 3)))
    dataset.add_df("df", pd.DataFrame({"k": ["x", "y"]}))
    seen = []

    def enough(keys, rungs):
        seen.append((keys, len(rungs[0])))
        return keys == ["x"] and len(rungs[0]) >= 1

    study = optimize_by_continuous_asha(Descent(), dataset.build(["k"]), [(1, 9)], study_early_stop=enough, verbose=0)
    assert sorted(each.trial.keys[0] for each in study.reports) == ["x", "y", "y", "y"]
    assert seen == [(["x"], 0), (["x"], 1), (["y"], 0), (["y"], 1), (["y"], 2)]


def test_what_is_no_number_never_stays():
    class Diverging(Descent):
        def copy(self):
            return Diverging()

        def run_single_iteration(self):
            return (
                super().run_single_iteration()
                if self.current_trial.params["a"]
                else TrialReport(self.current_trial, math.nan)
            )

    dataset = TuneDatasetBuilder(Space(a=Grid(0, 1))).build()
    study = optimize_by_continuous_asha(Diverging(), dataset, [(1, 2), (1, 2)], verbose=0)
    assert sorted((each.trial.params["a"], each.rung) for each in study.reports) == [(1, 1)]


def test_an_early_stop_that_raises_ends_the_study():
    def broken(keys, rungs):
        raise ZeroDivisionError("nothing to divide by")

    with pytest.raises(ZeroDivisionError, match="nothing to divide by"):
        asha(study_early_stop=broken)
    with pytest.raises(ConfigError):
        asha(plan=[])
