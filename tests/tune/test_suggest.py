"""Candidates that are tried once: the front door of Fugue-Tune."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tune.objectives import bowl

from maggy.errors import ConfigError, ExperimentFailedError, ResumeError, SearchspaceError
from maggy.tune import (
    TUNE_OBJECT_FACTORY,
    Choice,
    FuncParam,
    Grid,
    NonIterativeObjectiveFunc,
    Rand,
    RandInt,
    Space,
    Trial,
    TrialReport,
    TuneDatasetBuilder,
    noniterative_objective,
    optimize_noniterative,
    suggest_for_noniterative_objective,
    validate_noniterative_objective,
)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def suggest(objective, space, **settings):
    return suggest_for_noniterative_objective(objective, space, verbose=0, **settings)


def values(reports, name="a"):
    return [report.params.simple_value[name] for report in reports]


def test_every_cell_of_a_grid_is_tried_and_the_best_comes_first():
    reports = suggest(bowl, Space(a=Grid(0, 1, 2), b=Grid(0.0, 0.5)), top_n=0)
    assert len(reports) == 6
    assert (reports[0].metric, reports[0].params.simple_value) == (0.0, {"a": 1, "b": 0.5})
    assert [report.sort_metric for report in reports] == sorted(report.sort_metric for report in reports)


def test_the_best_one_is_returned_unless_more_are_asked_for():
    space = Space(a=Grid(0, 1, 2, 3), b=0.5)
    assert values(suggest(bowl, space)) == [1]
    assert len(suggest(bowl, space, top_n=3)) == 3
    assert len(suggest(bowl, space, top_n=100)) == 4


def test_a_candidate_that_two_parts_of_a_union_share_is_tried_once():
    assert values(suggest(bowl, Space(a=Grid(0, 1), b=0.5) + Space(a=Grid(1, 2), b=0.5), top_n=0)) == [1, 0, 2]


def test_samples_of_random_parts_are_candidates_and_the_same_again_for_a_seed():
    space = Space(a=Grid(0, 1), b=Rand(0, 1)).sample(3, seed=7)
    first, second = (suggest(bowl, space, top_n=0) for _ in range(2))
    assert len(first) == 6
    assert [report.params for report in first] == [report.params for report in second]
    assert [report.trial_id for report in first] == [report.trial_id for report in second]


def test_what_is_left_to_choose_without_an_optimizer_is_refused_before_anything_starts():
    def untouched(a, b):
        raise AssertionError

    with pytest.raises(ConfigError, match=r"leaves something to choose.*space\.sample\(n\).*local_optimizer"):
        suggest(untouched, Space(a=1, b=Rand(0, 1)))


def test_a_local_optimizer_searches_within_each_cell():
    reports = suggest(bowl, Space(a=Grid(0, 1), b=Rand(0, 1)), local_optimizer="tpe:25", top_n=0)
    assert [report.params["a"] for report in reports] == [1, 0], "one report for each cell"
    assert abs(reports[0].params["b"] - 0.5) < 0.1


def test_models_grids_samples_and_a_local_optimizer_combine_in_one_space():
    def objective(model, a, b=0.0, c=0.0):
        return {"line": abs(a) + b, "bowl": (a - 1) ** 2 + (c - 0.3) ** 2 + b}[model]

    line = Space(model="line", a=Grid(1, 2), b=Rand(0, 1)).sample(2, seed=0)
    bowl_space = Space(model="bowl", a=Grid(0, 1)) * Space(c=Rand(0, 1), b=0.0)
    reports = suggest(objective, line + bowl_space, local_optimizer="tpe:25", top_n=0)
    assert sorted(report.params["model"] for report in reports) == ["bowl"] * 2 + ["line"] * 4
    assert (reports[0].params["model"], reports[0].params["a"]) == ("bowl", 1)


def test_nested_expressions_and_computed_values_reach_the_objective():
    size = Choice(2, 3)

    def objective(net, area):
        assert area == net["size"] ** 2
        return float(area + len(net["layers"]))

    reports = suggest(
        objective,
        Space(net={"size": size, "layers": [RandInt(1, 3), 5]}, area=FuncParam(lambda x: x * x, size)),
        local_optimizer="tpe:10",
    )
    assert reports[0].metric == 6.0


# --- what an objective may be


def test_a_pair_of_metric_and_metadata_is_kept_apart():
    [report] = suggest(lambda a: (a, {"note": "fine", "parts": [a, 2]}), Space(a=3))
    assert (report.metric, report.metadata) == (3.0, {"note": "fine", "parts": [3, 2]})


@pytest.mark.parametrize("name", ["reporter", "hparams", "budget", "seed", "#"])
def test_parameters_and_keys_may_be_called_like_anything_of_ours(name):
    def objective(**given):
        return given[name] + (len(given["df"]) if "df" in given else 0)

    space = Space({name: Grid(5, 6)})
    assert values(suggest(objective, space, top_n=0), name) == [5, 6]
    df = pd.DataFrame({name: [7, 8, 8]})
    reports = suggest(objective, space, df=df, partition_keys=[name], top_n=0)
    assert [(report.trial.keys, report.metric) for report in reports] == [([7], 6), ([7], 7), ([8], 7), ([8], 8)]


@pytest.mark.parametrize("returned", [None, "text", (1, 2), 10**400])
def test_what_is_no_result_is_said_with_the_name_of_the_objective(returned):
    def lost(a):
        return returned

    with pytest.raises(ExperimentFailedError, match="lost has to return a number"):
        suggest(lost, Space(a=Grid(1, 2)))


def test_an_object_that_can_be_called_keeps_its_attributes_to_itself():
    class Model:
        def __init__(self):
            self.function, self.min_better, self.run = "a parabola", "who knows", 3

        def __call__(self, a):
            return (a - 1) ** 2

    assert values(suggest(Model(), Space(a=Grid(0, 1, 2)))) == [1]


@pytest.mark.parametrize("metadata", [{"text": "x" * 3_000_000}, {1: 2}, {"huge": 2**70}], ids=["large", "int", "huge"])
def test_metadata_arrives_as_it_was(metadata):
    [report] = suggest(lambda a: (1.0, metadata), Space(a=1))
    assert report.metadata == metadata


def test_a_constant_may_be_larger_than_what_a_message_says_of_it():
    [report] = suggest(lambda a, text: a + len(text), Space(a=1, text="x" * 300_000))
    assert report.metric == 300_001
    assert report.params["text"] == "x" * 300_000


def test_metadata_that_no_message_can_hold_arrives_all_the_same():
    class Model:
        def __eq__(self, other):
            return type(other).__name__ == "Model"

    [report] = suggest(lambda a: (a, {"model": Model()}), Space(a=3), execution_engine="local", num_workers=1)
    assert report.metadata == {"model": Model()}


def test_larger_is_better_where_the_decorator_says_so_and_the_function_can_still_be_called():
    @noniterative_objective(min_better=False)
    def objective(a):
        return a

    assert objective(5) == 5
    [report] = suggest(objective, Space(a=Grid(1, 3, 2)))
    assert (report.metric, report.sort_metric) == (3.0, -3.0)


def test_an_objective_that_takes_a_trial_gets_nothing_else():
    def objective(t: Trial) -> float:
        return t.params.simple_value["a"] + len(t.dfs)

    assert suggest(objective, Space(a=Grid(4, 2)))[0].metric == 2.0


def test_a_class_of_ones_own_sorts_as_it_says():
    class Largest(NonIterativeObjectiveFunc):
        def generate_sort_metric(self, value):
            return -value

        def run(self, trial):
            return TrialReport(trial, trial.params["a"], metadata={"by": "hand"})

    [report] = suggest(Largest(), Space(a=Grid(1, 9, 4)))
    assert (report.metric, report.metadata) == (9.0, {"by": "hand"})


def test_a_candidate_that_fails_is_recorded_and_the_others_count():
    def objective(a):
        if a == 1:
            raise ValueError("no ones")
        return a

    assert values(suggest(objective, Space(a=Grid(0, 1, 2)), top_n=0)) == [0, 2]


def test_where_all_fail_alike_that_is_said():
    def objective(a):
        raise ValueError("never")

    with pytest.raises(ExperimentFailedError, match="never"):
        suggest(objective, Space(a=Grid(0, 1, 2)))


def test_an_objective_can_be_validated_before_any_scale():
    seen = []
    validate_noniterative_objective(bowl, Trial("t", {"a": 1, "b": 0.5}), seen.append)
    assert seen[0].metric == 0.0
    validate_noniterative_objective(bowl, Trial("t", {"a": 1, "b": Rand(0, 1)}), seen.append, "tpe:5")
    assert 0 < seen[1].params["b"] < 1
    with pytest.raises(SearchspaceError, match="left to choose: b"):
        validate_noniterative_objective(bowl, Trial("t", {"a": 1, "b": Rand(0, 1)}), seen.append)


# --- tables


def rows():
    return pd.DataFrame({"k": ["x", "y", "x", "z", "y", "x"], "v": [1.0, 10.0, 2.0, 100.0, 20.0, 3.0]})


def distance(df, a):
    return abs(df["v"].sum() - a)


def test_without_keys_the_objective_gets_the_whole_table():
    [report] = suggest(distance, Space(a=Grid(0, 136, 200)), df=rows())
    assert (report.params["a"], report.metric) == (136, 0.0)


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.Table.from_pandas])
@pytest.mark.parametrize("engine", ["native", "local"])
def test_with_keys_each_of_them_is_a_study_of_its_own(kind, engine):
    reports = suggest(
        distance, Space(a=Grid(6, 30, 100)), df=kind(rows()), partition_keys=["k"], execution_engine=engine
    )
    assert {report.trial.keys[0]: report.params["a"] for report in reports} == {"x": 6, "y": 30, "z": 100}
    table = reports.to_pandas().set_index("k")
    assert list(table.loc["x", ["metric", "params"]]) == [0.0, {"a": 6}]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 99)), min_size=1, max_size=20))
def test_each_part_has_exactly_its_rows(made):
    frame = pd.DataFrame(made, columns=["k", "n", "v"])

    def objective(df, a):
        assert df[["k", "n"]].drop_duplicates().shape[0] == 1
        return (float(df["v"].sum()), {"rows": sorted(df["v"].tolist())})

    reports = suggest(objective, Space(a=1), df=frame, partition_keys=["n", "k"])
    found = {tuple(report.trial.keys): report.metadata["rows"] for report in reports}
    assert found == {key: sorted(part["v"].tolist()) for key, part in frame.groupby(["k", "n"])}


def test_what_an_objective_does_to_its_table_is_not_seen_by_the_next():
    def objective(df, a):
        before = float(df["v"].sum())
        df["v"] = 0.0
        return before

    assert {report.metric for report in suggest(objective, Space(a=Grid(1, 2, 3)), df=rows(), top_n=0)} == {136.0}


def test_a_key_that_is_called_like_a_column_of_the_results_is_said():
    df = pd.DataFrame({"metric": [1, 2]})
    reports = suggest(lambda df, a: a, Space(a=1), df=df, partition_keys=["metric"], top_n=0)
    with pytest.raises(ConfigError, match="rename"):
        reports.to_pandas()


def test_a_missing_key_is_a_key_of_its_own():
    frame = pd.DataFrame({"k": ["x", None, "x"], "v": [1.0, 2.0, 3.0]})
    reports = suggest(lambda df, a: df["v"].sum(), Space(a=1), df=frame, partition_keys=["k"])
    assert {report.trial.keys[0]: report.metric for report in reports} == {"x": 4.0, None: 2.0}


def test_keys_may_be_of_any_type_that_can_be_sorted():
    columns = [
        pd.to_datetime([1, 2, 1]),  # nanoseconds: no type of Python's own holds them
        pd.Categorical(["b", "a", "b"], categories=["b", "a", "never"]),
        [Decimal("1.10"), Decimal("2.2"), Decimal("1.10")],
        [date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 1)],
        [None, "None", None],
    ]
    for column in columns:
        df = pd.DataFrame({"key": column})
        reports = suggest(lambda df, a: len(df), Space(a=1), df=df, partition_keys="key", top_n=0)
        assert sorted(report.metric for report in reports) == [1.0, 2.0], column
        assert len({report.trial_id for report in reports}) == 2


def test_nan_is_one_key_as_any_missing_value_is():
    df = pa.table({"key": [1.0, float("nan"), float("nan")]})
    reports = suggest(lambda df, a: len(df), Space(a=1), df=df, partition_keys=["key"], top_n=0)
    assert [(report.trial.keys, report.metric) for report in reports] == [([1.0], 1.0), ([None], 2.0)]


@pytest.mark.parametrize(
    "df",
    [
        pd.DataFrame([[1, 2, 3]], columns=["key", "x", "x"]),
        pd.DataFrame({"key": [1, "a"]}),
        pd.DataFrame({"key": [[1], [2]]}),
    ],
    ids=["a name twice", "mixed types", "lists as keys"],
)
def test_a_table_that_cannot_be_cut_is_said_with_its_name(df):
    with pytest.raises(ConfigError, match="sales cannot be written"):
        suggest(bowl, Space(a=1, b=2), df=df, df_name="sales", partition_keys=["key"])


def test_a_column_that_does_not_exist_is_said_before_anything_starts():
    with pytest.raises(ConfigError, match="no column 'zz'"):
        suggest(distance, Space(a=1), df=rows(), partition_keys=["zz"])
    with pytest.raises(ConfigError, match="partition_keys need a table"):
        suggest(distance, Space(a=1), partition_keys=["k"])


def test_a_table_and_a_parameter_cannot_have_one_name():
    with pytest.raises(ConfigError, match="'v' is both a parameter and a table"):
        suggest(distance, Space(v=1), df=rows(), df_name="v")


def test_tables_with_the_same_keys_are_joined_and_others_stand_beside_each():
    train, test = rows(), pd.DataFrame({"k": ["x", "z"], "w": [5.0, 6.0]})
    limits = pd.DataFrame({"limit": [7.0]})
    builder = TuneDatasetBuilder(Space(a=1)).add_df("train", train).add_df("test", test)
    dataset = builder.add_df("limits", limits, "cross").build(["k"])
    study = optimize_noniterative(
        lambda train, test, limits, a: train["v"].sum() + test["w"].sum() + limits["limit"].sum(), dataset, verbose=0
    )
    assert {report.trial.keys[0]: report.metric for report in study.result()} == {"x": 18.0, "z": 113.0}


def test_tables_and_experiment_go_where_the_call_or_the_factory_says(tmp_path):
    suggest(distance, Space(a=1), df=rows(), temp_path=str(tmp_path / "here"))
    TUNE_OBJECT_FACTORY.set_temp_path(str(tmp_path / "there"))
    try:
        suggest(distance, Space(a=1), df=rows())
    finally:
        TUNE_OBJECT_FACTORY.set_temp_path("")
    for place in ("here", "there"):
        assert {path.name.partition("-")[0] for path in (tmp_path / place).iterdir()} == {"df", "tune"}
    assert not (tmp_path / "maggy-runs").exists()


@pytest.mark.parametrize("path", ["{}/with space/", "file://{}/url", "memory://"])
def test_a_path_may_be_a_url_or_end_with_a_slash(path, tmp_path):
    df = pd.DataFrame({"key": [1, 2, 2]})
    path = path.format(tmp_path)
    reports = suggest(lambda df, a: len(df), Space(a=1), df=df, partition_keys=["key"], top_n=0, temp_path=path)
    assert [report.metric for report in reports] == [1, 2]
    assert not list(tmp_path.glob("*:"))


# --- studies that are cut short


def test_ctrl_c_returns_what_has_finished_and_resume_tries_the_rest(tmp_path):
    def objective(a, folder):
        import os
        import signal
        from pathlib import Path

        tried = Path(folder) / str(a)
        if a == 2 and not tried.exists():
            tried.touch()
            os.kill(os.getpid(), signal.SIGINT)
        assert a == 2 or not tried.exists(), "tried twice"
        tried.touch()
        return a

    folder, experiment = tmp_path / "tried", tmp_path / "experiment"
    folder.mkdir()
    space = Space(a=Grid(*range(5)), folder=str(folder))
    first = suggest(objective, space, top_n=0, shuffle_candidates=False, experiment_dir=experiment)
    assert values(first) == [0, 1]
    assert values(suggest(objective, space, top_n=0, shuffle_candidates=False, resume=experiment)) == [0, 1, 2, 3, 4]


def test_a_study_is_not_resumed_with_other_candidates(tmp_path):
    suggest(bowl, Space(a=Grid(1, 2), b=0.5), experiment_dir=tmp_path / "experiment")
    with pytest.raises(ResumeError, match="optimizer"):
        suggest(bowl, Space(a=Grid(1, 3), b=0.5), resume=tmp_path / "experiment")
    with pytest.raises(ResumeError, match="optimizer"):
        suggest(bowl, Space(a=Grid(1, 2), b=0.5), local_optimizer="tpe:2", resume=tmp_path / "experiment")


# --- studies


def test_the_best_of_one_study_are_the_candidates_of_the_next():
    dataset = TuneDatasetBuilder(Space(a=Grid(*range(6)), b=0.5)).build()
    study = optimize_noniterative(bowl, dataset, verbose=0)
    again = optimize_noniterative(bowl, study.next_tune_dataset(2), verbose=0)
    assert sorted(values(again.result())) in ([0, 1], [1, 2])
    again.union_with(study)
    assert len(again.result()) == 6


def test_the_best_of_several_partitions_are_one_study_for_each():
    df = pd.DataFrame({"key": ["x", "y"]})
    dataset = TuneDatasetBuilder(Space(a=Grid(*range(4)))).add_df("df", df).build(["key"])
    study = optimize_noniterative(lambda a, df: a, dataset, verbose=0)
    following = study.next_tune_dataset(2)
    assert [[following.trials[index].keys for index in each] for each in following.studies()] == [
        [["x"], ["x"]],
        [["y"], ["y"]],
    ]
    with pytest.raises(ConfigError, match="by the same keys"):
        study.union_with(optimize_noniterative(bowl, TuneDatasetBuilder(Space(a=1, b=2)).build(), verbose=0))


def test_trials_of_several_processes_run_at_the_same_time():
    """Each waits for the other to have begun, which would never be so one after another."""

    def objective(a, folder):
        from pathlib import Path

        (Path(folder) / str(a)).touch()
        while len(list(Path(folder).iterdir())) < 2:
            threading.Event().wait(0.01)
        return a

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        space = Space(a=Grid(1, 2), folder=folder)
        assert len(suggest(objective, space, execution_engine="local", num_workers=2, top_n=0)) == 2


def test_with_distributed_false_it_all_happens_in_this_thread():
    reports = suggest(
        lambda a: (a, {"thread": threading.get_ident()}),
        Space(a=Grid(1, 2)),
        distributed=False,
        execution_engine="local",
    )
    assert {report.metadata["thread"] for report in reports} == {threading.get_ident()}
