"""Objectives that run rung after rung: halving, Hyperband, continuous ASHA."""

from __future__ import annotations

import io
import os
import signal
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from tune.objectives import Descent

from maggy.errors import ConfigError, ExperimentFailedError, ResumeError
from maggy.tune import (
    Grid,
    Rand,
    Space,
    Trial,
    TrialReport,
    TuneDatasetBuilder,
    optimize_by_continuous_asha,
    optimize_by_sha,
    suggest_by_continuous_asha,
    suggest_by_hyperband,
    suggest_by_sha,
    validate_iterative_objective,
)

EIGHT = Space(a=Grid(*range(8)))
HALVING = [(1, 4), (2, 2), (4, 1)]


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def lives(report):
    return report.metadata["lives"]


# --- validation, before any scale


def test_validation_runs_each_rung_from_the_checkpoint_of_the_one_before():
    seen = []
    validate_iterative_objective(Descent(), Trial("t", {"a": 3}), [1, 2, 3], seen.extend)
    assert [(report.rung, report.cost, report.metadata["step"]) for report in seen] == [(0, 1, 1), (1, 2, 3), (2, 3, 6)]
    assert lives(seen[2]) == ["begun", "loaded at 1", "loaded at 3"]


def test_continuous_validation_runs_all_rungs_in_one_go():
    seen = []
    validate_iterative_objective(Descent(), Trial("t", {"a": 3}), [1, 2], seen.extend, continuous=True)
    assert [report.metadata["step"] for report in seen] == [1, 3]
    assert lives(seen[1]) == ["begun"]


def test_validation_finds_a_checkpoint_that_does_not_work():
    class Forgetful(Descent):
        def copy(self):
            return Forgetful()

        def load_checkpoint(self, fs):
            self.step = int(fs.readtext("NO"))

    with pytest.raises(FileNotFoundError):
        validate_iterative_objective(Forgetful(), Trial("t", {"a": 3}), [1, 2], print)


def test_a_checkpoint_has_the_names_of_file_systems_of_fugue_tune():
    class Old(Descent):
        def save_checkpoint(self, fs):
            fs.makedir("deep")
            fs.opendir("deep").writetext("STEP", str(self.step))
            fs.writefile("FILE", io.BytesIO(b"written"))
            assert Path(fs.getsyspath("/FILE")).is_file()

        def load_checkpoint(self, fs):
            with fs.openbin("/FILE") as file:
                assert file.read() == b"written"
            self.step = int(fs.opendir("deep").readtext("STEP"))

    seen = []
    validate_iterative_objective(Old, Trial("t", {"a": 3}), [1, 2], seen.extend)
    assert [report.metadata["step"] for report in seen] == [1, 3]


def test_validation_keeps_checkpoints_where_it_is_told_to(tmp_path):
    validate_iterative_objective(Descent(), Trial("t", {"a": 3}), [1, 2], len, checkpoint_path=str(tmp_path / "kept"))
    assert sorted(path.name for path in (tmp_path / "kept").rglob("STEP")) == ["STEP", "STEP"]


# --- halving


@pytest.mark.parametrize("engine", ["native", "local"])
def test_halving_keeps_the_best_of_each_rung_and_goes_on_from_checkpoints(engine):
    reports = suggest_by_sha(Descent(), EIGHT, HALVING, top_n=0, execution_engine=engine, verbose=0)
    assert len(reports) == 2, "of those that ran the last rung"
    assert (reports[0].params["a"], reports[0].metadata["step"], reports[0].rung, reports[0].cost) == (3, 7, 2, 4.0)
    assert lives(reports[0]) == ["begun", "loaded at 1", "loaded at 3"]
    assert reports[0].metric == pytest.approx(1 / 7)


def test_halving_spends_what_the_plan_says():
    study = optimize_by_sha(Descent(), TuneDatasetBuilder(EIGHT).build(), HALVING, verbose=0)
    reached = Counter(max(budget for budget, _ in trial.rungs) for trial in study.lagom.trials)
    assert reached == {1: 4, 3: 2, 7: 2}


def test_a_plan_of_one_rung_tries_all_and_returns_the_best():
    [best] = suggest_by_sha(Descent(), EIGHT, [(2, 1)], verbose=0)
    assert (best.params["a"], best.metadata["step"]) == (3, 2)


def test_larger_is_better_where_the_objective_says_so():
    class Ascent(Descent):
        def copy(self):
            return Ascent()

        def generate_sort_metric(self, metric):
            return -metric

    [best] = suggest_by_sha(Ascent(), EIGHT, HALVING, verbose=0)
    assert best.params["a"] == 7 and best.sort_metric == -best.metric


def test_an_iteration_may_cost_more_than_one_unit():
    class Dear(Descent):
        def copy(self):
            return Dear()

        def run_single_iteration(self):
            return super().run_single_iteration().with_cost(2.0)

    [best] = suggest_by_sha(Dear(), Space(a=3), [(3, 1), (2, 1)], verbose=0)
    assert (best.cost, best.metadata["step"]) == (2.0, 3), "two iterations of 2 for a budget of 3, and one more"


def test_finalize_is_called_whatever_happens(tmp_path):
    class Raising(Descent):
        def copy(self):
            return Raising()

        def run_single_iteration(self):
            if self.current_trial.params["a"] == 0:
                raise ValueError("not with zero")
            return super().run_single_iteration()

        def finalize(self):
            with (tmp_path / "finalized").open("a") as file:
                file.write(f"{self.current_trial.params['a']} ")

    reports = suggest_by_sha(Raising(), Space(a=Grid(0, 1, 2)), [(1, 1)], top_n=0, verbose=0)
    assert [report.params["a"] for report in reports] == [2, 1]
    assert sorted((tmp_path / "finalized").read_text().split()) == ["0", "1", "2"]


def test_each_key_halves_on_its_own():
    frame = pd.DataFrame({"k": ["x", "y", "y"], "target": [1, 5, 5]})

    class Toward(Descent):
        def copy(self):
            return Toward()

        def run_single_iteration(self):
            self.step += 1
            [target] = self.current_trial.dfs["df"]["target"].unique()
            return TrialReport(
                self.current_trial,
                abs(self.current_trial.params["a"] - target) + 1 / self.step,
                metadata={"step": self.step},
            )

    reports = suggest_by_sha(Toward(), EIGHT, HALVING, train_df=frame, partition_keys=["k"], verbose=0)
    assert {report.trial.keys[0]: report.params["a"] for report in reports} == {"x": 1, "y": 5}
    assert {report.metadata["step"] for report in reports} == {7}


def test_random_parts_have_to_be_sampled_first():
    for suggest, plan in (
        (suggest_by_sha, HALVING),
        (suggest_by_hyperband, [HALVING]),
        (suggest_by_continuous_asha, HALVING),
    ):
        with pytest.raises(ConfigError, match=r"sample the space first, space\.sample"):
            suggest(Descent(), Space(a=Rand(0, 1)), plan)


@pytest.mark.parametrize("plan", [[], [(0, 1)], [(1, 0)], [(1, 1.5)], [(1,)], "abc", None])
def test_what_is_no_plan_is_said(plan):
    with pytest.raises(ConfigError, match=r"a plan is a list of \(budget, keep\), what each rung adds"):
        suggest_by_sha(Descent(), EIGHT, plan)


def test_what_is_no_iterative_objective_is_said():
    with pytest.raises(ConfigError, match="IterativeObjectiveFunc"):
        suggest_by_sha(lambda a: a, EIGHT, HALVING)


def test_a_candidate_that_fails_in_the_last_rung_has_no_report_of_one_before():
    class Breaking(Descent):
        def copy(self):
            return Breaking()

        def run_single_iteration(self):
            if self.step == 3 and self.current_trial.params["a"] == 3:
                raise ValueError("too good to be true")
            return super().run_single_iteration()

    reports = suggest_by_sha(Breaking(), EIGHT, HALVING, top_n=0, verbose=0)
    assert [report.rung for report in reports] == [2]
    assert reports[0].params["a"] in (2, 4)


# --- Hyperband


@pytest.mark.parametrize("search", [suggest_by_sha, suggest_by_continuous_asha])
def test_where_nobody_comes_to_a_result_that_is_said(search):
    class Broken(Descent):
        def copy(self):
            return Broken()

        def finalize(self):
            raise OSError("the disk is gone")

    with pytest.raises(ExperimentFailedError, match="the disk is gone"):
        search(Broken(), EIGHT, [(1, 2), (1, 1)], verbose=0)


def test_an_iteration_that_costs_nothing_is_an_error_and_not_endless():
    class Free(Descent):
        def run_single_iteration(self):
            return super().run_single_iteration().with_cost(0)

        def copy(self):
            return Free()

    with pytest.raises(ExperimentFailedError, match="cost of 0"):
        suggest_by_sha(Free(), EIGHT, HALVING, verbose=0)


@pytest.mark.parametrize("search", [suggest_by_sha, suggest_by_continuous_asha])
def test_metadata_that_is_too_large_is_left_out_and_costs_no_result(search):
    class Talkative(Descent):
        def copy(self):
            return Talkative()

        def run_single_iteration(self):
            report = super().run_single_iteration()
            report.metadata["log"] = "x" * 3_000_000
            return report

    [best] = search(Talkative(), Space(a=Grid(1, 2, 3)), [(1, 3), (1, 3)], verbose=0)
    assert best.params["a"] == 3
    assert "dropped" in best.metadata["log"]
    assert best.metadata["step"] == 2


@pytest.mark.parametrize("search", [suggest_by_sha, suggest_by_continuous_asha])
def test_a_worker_that_dies_when_it_has_saved_costs_no_result(search, tmp_path):
    class Fragile(Descent):
        def copy(self):
            return Fragile()

        def finalize(self):
            mark = tmp_path / f"died-{self.current_trial.params['a']}"
            if self.current_trial.params["a"] in (3, 4) and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    space, plan = Space(a=Grid(2, 3, 4)), [(1, 3), (1, 3)]
    reports = search(Fragile(), space, plan, top_n=0, execution_engine="local", num_workers=1, verbose=0)
    assert len(list(tmp_path.glob("died-*"))) == 2
    assert sorted(report.params["a"] for report in reports) == [2, 3, 4]
    assert {(report.rung, report.metadata["step"]) for report in reports} == {(1, 2)}


@pytest.mark.parametrize("search", [suggest_by_sha, suggest_by_continuous_asha])
def test_a_study_is_not_resumed_with_another_plan(search, tmp_path):
    search(Descent(), EIGHT, HALVING, experiment_dir=tmp_path / "experiment", verbose=0)
    with pytest.raises(ResumeError, match="optimizer"):
        search(Descent(), EIGHT, [(1, 4), (5, 2)], resume=tmp_path / "experiment", verbose=0)
    assert search(Descent(), EIGHT, HALVING, resume=tmp_path / "experiment", verbose=0)[0].rung == 2


def test_hyperband_shares_the_candidates_between_its_plans():
    space = Space(a=Grid(*range(12)))
    reports = suggest_by_hyperband(Descent(), space, [HALVING, [(3, 2), (4, 1)]], top_n=0, verbose=0)
    assert reports[0].params["a"] == 3
    assert {report.rung for report in reports} == {1, 2}, "the last rung of either plan"
    again = suggest_by_hyperband(Descent(), space, [HALVING, [(3, 2), (4, 1)]], top_n=0, verbose=0)
    assert [report.trial_id for report in again] == [report.trial_id for report in reports]


# --- continuous ASHA


def test_continuous_asha_stops_whoever_finds_no_room_and_reads_no_checkpoint():
    study = optimize_by_continuous_asha(
        Descent(), TuneDatasetBuilder(Space(a=Grid(*range(20)))).build(), HALVING, verbose=0
    )
    reports = study.result()
    assert all(lives(report) == ["begun"] for report in reports)
    assert Counter(report.metadata["step"] for report in reports).keys() <= {1, 3, 7}
    assert sum(report.rung == 2 for report in reports) >= 1
    assert len(reports) < 20, "no new one begins when all rungs are full"
    assert all(trial.checkpoint is not None for trial in study.lagom.trials), "saved where it ended"


def test_the_first_of_continuous_asha_always_run_to_the_end():
    reports = suggest_by_continuous_asha(Descent(), Space(a=Grid(*range(6))), [(1, 2), (2, 2)], top_n=0, verbose=0)
    assert len([report for report in reports if report.rung == 1]) >= 2


@pytest.mark.parametrize("always", [True, False])
def test_a_worker_that_dies_costs_no_result(always, tmp_path):
    class Fragile(Descent):
        def copy(self):
            return Fragile()

        def run_single_iteration(self):
            mark = tmp_path / "died"
            if self.step == 2 and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().run_single_iteration()

    dataset = TuneDatasetBuilder(Space(a=3)).build()
    study = optimize_by_continuous_asha(
        Fragile(),
        dataset,
        [(1, 1), (2, 1)],
        always_checkpoint=always,
        execution_engine="local",
        num_workers=1,
        verbose=0,
    )
    [report] = study.result()
    assert (report.metadata["step"], report.rung) == (3, 1)
    assert lives(report) == (["begun", "loaded at 1"] if always else ["begun"])
