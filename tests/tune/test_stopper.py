"""When the search of one partition has found enough."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from maggy.errors import ConfigError
from maggy.trial import TrialState
from maggy.tune import (
    Grid,
    SimpleNonIterativeStopper,
    Space,
    Trial,
    TrialReport,
    TuneDatasetBuilder,
    n_samples,
    n_updates,
    no_update_period,
    optimize_noniterative,
    small_improvement,
    suggest_for_noniterative_objective,
)
from maggy.tune.stopper import to_timedelta

NOON = datetime(2026, 1, 1, 12)


def ends_after(stopper, *metrics, seconds=()):
    """How many reports a stopper sees until it says stop; None if it never does."""
    judge = stopper.fresh()
    times = seconds or [0] * len(metrics)
    for count, (metric, at) in enumerate(zip(metrics, times, strict=True), 1):
        if judge.judge(TrialReport(Trial("t", {}), metric, log_time=NOON + timedelta(seconds=at))):
            return count
    return None


def test_after_so_many_reports():
    assert ends_after(n_samples(3), 1, 2, 3, 4) == 3
    assert ends_after(n_samples(5), 1, 2, 3, 4) is None


def test_after_so_many_improvements_the_first_report_included():
    assert ends_after(n_updates(2), 5, 6, 4, 3) == 3
    assert ends_after(n_updates(2), 5, 6, 5, 7) is None


def test_when_there_was_no_improvement_for_a_time():
    assert ends_after(no_update_period("10sec"), 5, 6, 6, 6, seconds=[0, 5, 10, 11]) == 4
    assert ends_after(no_update_period("10sec"), 5, 4, 3, seconds=[0, 20, 40]) is None


def test_when_the_last_improvements_were_small():
    assert ends_after(small_improvement(0.5, 1), 5, 4, 3.9, 3) == 3
    assert ends_after(small_improvement("10%", 2), 100, 50, 49, 48) == 4
    assert ends_after(small_improvement("10%", 2), 100, 50, 25, 12) is None


def test_and_waits_for_both_while_or_takes_the_first():
    assert ends_after(n_samples(2) & n_updates(3), 5, 4, 4, 3) == 4
    assert ends_after(n_samples(2) | n_updates(3), 5, 4, 4, 3) == 2
    assert ends_after((n_samples(1) & n_samples(2)) | n_samples(3), 1, 1, 1) == 2


def test_a_function_of_ones_own():
    seen = []

    def stop(current, updated, reports):
        seen.append((current.metric, updated, len(reports)))
        return current.metric < 2

    assert ends_after(SimpleNonIterativeStopper(stop), 3, 4, 1) == 3
    assert seen == [(3, True, 1), (4, False, 2), (1, True, 3)]
    seen.clear()
    ends_after(SimpleNonIterativeStopper(stop, log_best_only=True), 3, 4, 1)
    assert seen == [(3, True, 1), (4, False, 1), (1, True, 2)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90 s", 90), ("1sec", 1), ("5min", 300), ("2h", 7200), (3, 3), ("0.5 min", 30), ("1 day", 86400)],
)
def test_time_spans_are_written_in_many_ways(text, seconds):
    assert to_timedelta(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "make",
    [lambda: n_samples(0), lambda: n_updates(1.5), lambda: small_improvement("x", 1), lambda: no_update_period("soon")],
)
def test_a_wrong_argument_is_said_at_once(make):
    with pytest.raises(ConfigError):
        make()


# --- in a study


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_is_no_stopper_is_said_before_anything_starts():
    with pytest.raises(ConfigError, match="SimpleNonIterativeStopper"):
        suggest_for_noniterative_objective(lambda a: a, Space(a=1), stopper=lambda *seen: True)


def test_each_partition_stops_on_its_own_and_again_in_the_next_study():
    frame = pd.DataFrame({"k": ["x", "y"]})
    stopper = n_samples(2)
    for _ in range(2):
        reports = suggest_for_noniterative_objective(
            lambda df, a: a,
            Space(a=Grid(*range(5))),
            df=frame,
            partition_keys=["k"],
            top_n=0,
            stopper=stopper,
            shuffle_candidates=False,
            verbose=0,
        )
        assert sorted((report.trial.keys[0], report.params["a"]) for report in reports) == [
            ("x", 0),
            ("x", 1),
            ("y", 0),
            ("y", 1),
        ]


def test_what_still_runs_is_interrupted_and_has_no_result():
    """The first candidate ends only when the second has begun, which would run for ever."""

    def objective(a, folder):
        if a == 0:
            while not (Path(folder) / "begun").exists():
                pass
            return 1.0
        (Path(folder) / "begun").touch()
        try:
            while True:
                try:
                    sum(range(100))
                except Exception:
                    continue
        finally:
            (Path(folder) / "left").touch()

    with tempfile.TemporaryDirectory() as folder:
        dataset = TuneDatasetBuilder(Space(a=Grid(0, 1, 2), folder=folder)).build(shuffle=False)
        study = optimize_noniterative(
            objective, dataset, stopper=n_samples(1), execution_engine="local", num_workers=2, verbose=0
        )
        assert (Path(folder) / "left").exists()
    assert [report.params["a"] for report in study.result()] == [0]
    states = {trial.params["a"]: trial.state for trial in study.lagom.trials}
    assert states == {0: TrialState.FINISHED, 1: TrialState.FAILED}
    assert "TuneInterrupted" in next(trial.error for trial in study.lagom.trials if trial.params["a"] == 1)
