"""Models of scikit-learn through the front door of Fugue-Tune."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor, StackingClassifier, StackingRegressor
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from maggy.errors import ConfigError, ExperimentFailedError
from maggy.tune import TUNE_OBJECT_FACTORY, Choice, Grid, Rand, RandInt, Space
from maggy.tune.sklearn import sk_space, suggest_sk_models, suggest_sk_models_by_cv, suggest_sk_stacking_model

RIDGE, TREE = "sklearn.linear_model._ridge.Ridge", "sklearn.tree._classes.DecisionTreeRegressor"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def diabetes() -> pd.DataFrame:
    return load_diabetes(as_frame=True).frame.rename(columns={"target": "label"})


@pytest.fixture
def halves(diabetes) -> tuple[pd.DataFrame, pd.DataFrame]:
    return diabetes.iloc[::2].reset_index(drop=True), diabetes.iloc[1::2].reset_index(drop=True)


def models(reports) -> list[str]:
    return [report.metadata["model"].rpartition(".")[2] for report in reports]


# --- spaces


def test_a_space_names_its_model_first_and_by_its_full_path():
    space = sk_space(Ridge, alpha=Grid(1, 2)) + sk_space("sklearn.tree.DecisionTreeRegressor", max_depth=RandInt(1, 5))

    assert [list(branch.template.root) for branch in space.branches] == [
        ["__space__model", "alpha"],
        ["__space__model", "max_depth"],
    ]
    assert [branch.template.root["__space__model"] for branch in space.branches] == [RIDGE, TREE]


@pytest.mark.parametrize("wrong", [int, "sklearn.nothing.Here", "sklearn.linear_model", "no_dots", 5, "sklearn.Nope"])
def test_what_is_no_model_is_refused(wrong):
    with pytest.raises(ConfigError, match="class"):
        sk_space(wrong)


def test_a_space_without_a_model_is_refused(halves):
    with pytest.raises(ConfigError, match="sk_space"):
        suggest_sk_models(sk_space(Ridge) + Space(alpha=1), *halves, "r2")


# --- train and test tables


def test_the_score_is_that_of_the_model_by_hand(halves):
    train, test = halves
    [report] = suggest_sk_models(sk_space(Ridge, alpha=0.5), train, test, "neg_mean_absolute_error", verbose=0)

    model = Ridge(alpha=0.5).fit(train.drop(columns="label"), train["label"])
    error = mean_absolute_error(test["label"], model.predict(test.drop(columns="label")))
    assert report.metric == pytest.approx(-error)
    assert report.sort_metric == -report.metric
    assert report.metadata == {"model": RIDGE}
    assert report.params.simple_value == {"__space__model": RIDGE, "alpha": 0.5}


@pytest.mark.parametrize("engine", ["native", "local"])
def test_models_with_a_grid_with_samples_and_with_a_search_meet_in_one_space(engine, halves):
    train, test = halves
    space = (
        sk_space(LinearRegression)
        + sk_space(Ridge, alpha=Grid(0.01, 1, 100))
        + sk_space(Lasso, alpha=Rand(0.01, 10, log=True)).sample(2, seed=1)
        + sk_space(DecisionTreeRegressor, max_depth=RandInt(1, 12), splitter=Choice("best", "random"))
    )
    reports = suggest_sk_models(
        space,
        train,
        test,
        "r2",
        top_n=0,
        local_optimizer="optuna:6",
        execution_engine=engine,
        verbose=0,
    )

    assert sorted(models(reports)) == ["DecisionTreeRegressor", "Lasso", "Lasso", "LinearRegression", *["Ridge"] * 3]
    assert [report.sort_metric for report in reports] == sorted(report.sort_metric for report in reports)
    tree = next(report for report in reports if report.metadata["model"] == TREE)
    chosen = tree.params.simple_value
    again = DecisionTreeRegressor(max_depth=chosen["max_depth"], splitter=chosen["splitter"], random_state=0)
    shuffled = train.sample(frac=1, random_state=0)
    again.fit(shuffled.drop(columns="label"), shuffled["label"])
    assert tree.metric == pytest.approx(again.score(test.drop(columns="label"), test["label"]))


def test_a_search_repeats_and_leaves_the_global_stream_alone(halves):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    space = sk_space(RandomForestRegressor, n_estimators=3, max_depth=RandInt(1, 9)).sample(2, seed=0)

    first, second = (suggest_sk_models(space, *halves, "r2", top_n=0, verbose=0) for _ in range(2))

    assert [report.metric for report in first] == [report.metric for report in second]
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_a_random_state_that_was_chosen_stays(halves):
    space = sk_space(RandomForestRegressor, n_estimators=2, random_state=Grid(0, 1))
    given = suggest_sk_models(space, *halves, "r2", top_n=0, verbose=0)
    [left_open] = suggest_sk_models(sk_space(RandomForestRegressor, n_estimators=2), *halves, "r2", verbose=0)

    scores = {report.params.simple_value["random_state"]: report.metric for report in given}
    assert scores[0] == left_open.metric != scores[1]


def test_only_columns_with_the_prefix_are_features(halves):
    train, test = (half.assign(noise=half["label"], x_bmi=half["bmi"]) for half in halves)
    [one] = suggest_sk_models(sk_space(LinearRegression), train, test, "r2", feature_prefix="x_", verbose=0)
    [all_of_them] = suggest_sk_models(sk_space(LinearRegression), train, test, "r2", verbose=0)

    assert one.metric == pytest.approx(
        LinearRegression().fit(train[["bmi"]], train["label"]).score(test[["bmi"]], test["label"])
    )
    assert all_of_them.metric == pytest.approx(1), "the label was among the features"


def test_a_table_without_label_or_features_is_refused_before_anything_runs(halves):
    train, test = halves
    with pytest.raises(ConfigError, match=r"test_df has no column 'label'.*only age, .*label_col"):
        suggest_sk_models(sk_space(Ridge), train, test.drop(columns="label"), "r2")
    with pytest.raises(ConfigError, match=r"train_df has no features.*'z_'"):
        suggest_sk_models(sk_space(Ridge), train, test, "r2", feature_prefix="z_")
    with pytest.raises(ConfigError, match="train has to be a table"):
        suggest_sk_models(sk_space(Ridge), "train.csv", test, "r2")


@pytest.mark.parametrize("save_to", ["", "given"])
def test_fitted_models_are_kept_where_that_is_asked_for(save_to, halves, tmp_path):
    train, test = halves
    space = sk_space(Ridge, alpha=Grid(1, 2))
    folder = str(tmp_path / save_to) if save_to else ""
    reports = suggest_sk_models(space, train, test, "r2", folder, save_model=True, top_n=0, verbose=0)

    paths = [report.metadata["checkpoint_path"] for report in reports]
    assert len(set(paths)) == 2
    assert all(Path(path).is_relative_to(tmp_path / (save_to or "maggy-runs")) for path in paths)
    for report, path in zip(reports, paths, strict=True):
        model = pickle.loads(Path(path).read_bytes())
        assert model.alpha == report.params.simple_value["alpha"]
        assert model.score(test.drop(columns="label"), test["label"]) == pytest.approx(report.metric)


def test_the_folder_that_was_set_once_is_used(halves, tmp_path):
    TUNE_OBJECT_FACTORY.set_temp_path(str(tmp_path / "set"))
    try:
        [report] = suggest_sk_models(sk_space(Ridge), *halves, "r2", save_model=True, verbose=0)
    finally:
        TUNE_OBJECT_FACTORY.set_temp_path("")
    assert Path(report.metadata["checkpoint_path"]).is_relative_to(tmp_path / "set")


def test_tables_of_arrow_and_functions_as_scores_do_as_well(halves):
    def close(model: Any, features: pd.DataFrame, labels: pd.Series) -> float:
        return float(np.mean(np.abs(model.predict(features) - labels) < 50))

    train, test = (pa.Table.from_pandas(half) for half in halves)
    [report] = suggest_sk_models(sk_space(Ridge), train, test, close, verbose=0)
    assert 0.4 < report.metric < 1


# --- partitions


@pytest.fixture
def parted(diabetes) -> pd.DataFrame:
    return diabetes.assign(where=["north", "south", "west"] * 147 + ["north"], year=[1, 2] * 221)


def test_each_key_that_both_tables_have_is_a_study_of_its_own(parted):
    train, test = parted.iloc[::3], parted.iloc[1::3]
    train, test = parted[parted["where"] != "west"], parted[parted["where"] != "north"]
    reports = suggest_sk_models(
        sk_space(Ridge, alpha=Grid(0.1, 1)), train, test, "r2", partition_keys=["where"], top_n=0, verbose=0
    )
    assert [report.trial.keys for report in reports] == [["south"], ["south"]]
    [again] = suggest_sk_models(sk_space(Ridge), train, test, "r2", partition_keys="where", verbose=0)
    assert again.trial.keys == ["south"]


def test_keys_are_no_features(parted):
    def names(model: Any, features: pd.DataFrame, labels: pd.Series) -> float:
        assert list(features.columns) == list(load_diabetes(as_frame=True).data.columns)
        return 1

    for suggest, tables in ((suggest_sk_models, (parted, parted)), (suggest_sk_models_by_cv, (parted,))):
        reports = suggest(sk_space(Ridge), *tables, names, partition_keys=["year", "where"], verbose=0)
        assert len(reports) == 6


# --- cross-validation


def test_scores_are_those_of_cross_validation_on_shuffled_rows(diabetes):
    [report] = suggest_sk_models_by_cv(sk_space(Ridge, alpha=0.5), diabetes, "r2", cv=4, verbose=0)

    rows = diabetes.sample(frac=1, random_state=0)
    expected = cross_val_score(Ridge(alpha=0.5), rows.drop(columns="label"), rows["label"], cv=4, scoring="r2")
    assert report.metadata["cv_scores"] == pytest.approx(expected.tolist())
    assert report.metric == pytest.approx(expected.mean())
    assert report.sort_metric == -report.metric


@pytest.mark.parametrize("cv", [TimeSeriesSplit(3), [(np.arange(100), np.arange(100, 442))]])
def test_rows_stay_in_order_for_who_splits_them_himself(cv, diabetes):
    [report] = suggest_sk_models_by_cv(sk_space(Ridge), diabetes, "r2", cv=cv, verbose=0)

    expected = cross_val_score(Ridge(), diabetes.drop(columns="label"), diabetes["label"], cv=cv, scoring="r2")
    assert report.metadata["cv_scores"] == pytest.approx(expected.tolist())


def ran(folder: Path) -> int:
    """How many trials the experiment had, in `maggy-runs`."""
    [trials] = folder.glob("maggy-runs/*/1/trials")
    return len(list(trials.iterdir()))


@pytest.mark.parametrize(("cv", "save_model"), [(5, True), (KFold(3, shuffle=True), False)], ids=["number", "splitter"])
def test_folds_that_run_in_parallel_give_what_folds_in_turn_give(cv, save_model, diabetes, tmp_path, monkeypatch):
    space = sk_space(RandomForestRegressor, n_estimators=3)
    by_engine = {}
    for engine in ("native", "local"):
        folder = tmp_path / engine
        folder.mkdir()
        monkeypatch.chdir(folder)
        [by_engine[engine]] = suggest_sk_models_by_cv(
            space, diabetes, "r2", cv=cv, save_model=save_model, execution_engine=engine, num_workers=2, verbose=0
        )

    inside, parallel = by_engine["native"], by_engine["local"]
    folds = len(inside.metadata["cv_scores"])
    assert [path.name for path in (tmp_path / "local/maggy-runs").glob("tune*")] == ["tune-folds"]
    assert parallel.metadata["cv_scores"] == inside.metadata["cv_scores"]
    assert (parallel.metric, parallel.sort_metric) == (inside.metric, inside.sort_metric)
    assert parallel.params == inside.params
    assert parallel.trial_id == inside.trial_id
    assert folds == (5 if isinstance(cv, int) else 3)
    if save_model:
        features, labels = diabetes.drop(columns="label"), diabetes["label"]
        first, second = (
            pickle.loads(Path(each.metadata["checkpoint_path"]).read_bytes()) for each in (inside, parallel)
        )
        assert first.predict(features).tolist() == second.predict(features).tolist()
        assert first.score(features, labels) > 0.5


def test_a_candidate_without_one_of_its_folds_has_failed(diabetes):
    class Picky(LinearRegression):
        def fit(self, features, labels):
            if not self.fit_intercept and 0 in features.index:
                raise ValueError("not with the first row")
            return super().fit(features, labels)

    said = {"cv": 2, "top_n": 0, "execution_engine": "local", "verbose": 0}
    space = sk_space(Picky, fit_intercept=Grid(True, False))
    reports = suggest_sk_models_by_cv(space, diabetes, "r2", **said, num_workers=3)
    assert [report.params.simple_value["fit_intercept"] for report in reports] == [True]

    with pytest.raises(ExperimentFailedError, match=r"every candidate has a fold that failed.*not with the first row"):
        suggest_sk_models_by_cv(sk_space(Picky, fit_intercept=False), diabetes, "r2", **said, num_workers=2)


@pytest.mark.parametrize("name", ["xgboost.XGBRegressor", "lightgbm.LGBMRegressor"])
def test_models_of_other_libraries_with_the_same_interface_are_tuned_too(name, halves):
    space = sk_space(name, n_estimators=Grid(5, 10), n_jobs=1, verbosity=0 if "xg" in name else -1)
    first, second = suggest_sk_models(space, *halves, "r2", top_n=0, verbose=0)
    assert first.metadata["model"].endswith("Regressor")
    assert 0.1 < second.metric < first.metric < 0.6


def test_an_estimator_that_exists_here_alone_reaches_the_workers(diabetes):
    class Middle(RegressorMixin, BaseEstimator):
        def __init__(self, share: float = 0.5) -> None:
            self.share = share

        def fit(self, features, labels):
            self.value_ = np.quantile(labels, self.share)
            return self

        def predict(self, features):
            return np.full(len(features), self.value_)

    reports = suggest_sk_models_by_cv(
        sk_space(Middle, share=Grid(0.1, 0.5)) + sk_space(DummyRegressor),
        diabetes,
        "neg_mean_absolute_error",
        top_n=0,
        execution_engine="local",
        verbose=0,
    )
    assert reports[0].params.simple_value["share"] == 0.5
    assert len(reports) == 3


# --- stacking


def test_a_stack_has_the_best_of_each_class_and_the_best_final_model(diabetes):
    space = (
        sk_space(Ridge, alpha=Grid(0.1, 1000))
        + sk_space(DecisionTreeRegressor, max_depth=Grid(3, 20))
        + sk_space(Lasso)
    )
    [report] = suggest_sk_stacking_model(
        space,
        sk_space(LinearRegression) + sk_space(DecisionTreeRegressor, max_depth=1),
        diabetes,
        "r2",
        cv=3,
        top_n=2,
        save_model=True,
        verbose=0,
    )

    params = report.params.simple_value
    assert params["__space__model"] == report.metadata["model"] == "sklearn.ensemble._stacking.StackingRegressor"
    assert params["estimators"][0] == {"__space__model": RIDGE, "alpha": 0.1}
    assert len(params["estimators"]) == 2
    assert params["final_estimator"]["__space__model"].endswith("LinearRegression")
    model = pickle.loads(Path(report.metadata["checkpoint_path"]).read_bytes())
    assert isinstance(model, StackingRegressor)
    rows = diabetes.sample(frac=1, random_state=0)
    scores = cross_val_score(model, rows.drop(columns="label"), rows["label"], cv=3, scoring="r2")
    assert report.metadata["cv_scores"] == pytest.approx(scores.tolist())


def test_classifiers_are_stacked_for_each_partition_and_on_processes():
    frame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "label"})
    frame = frame[["mean radius", "mean texture", "worst area", "label"]].assign(half=["a", "b"] * 284 + ["a"])
    reports = suggest_sk_stacking_model(
        sk_space(GaussianNB) + sk_space(DecisionTreeClassifier, max_depth=Grid(1, 4)),
        sk_space(LogisticRegression, C=Grid(0.01, 10)),
        frame,
        "accuracy",
        cv=2,
        partition_keys=["half"],
        save_model=True,
        stack_method="predict_proba",
        stack_passthrough=False,
        execution_engine="local",
        verbose=0,
    )

    assert sorted(report.trial.keys[0] for report in reports) == ["a", "b"]
    for report in reports:
        assert report.metric > 0.85
        assert len(report.params.simple_value["estimators"]) == 2
        model = pickle.loads(Path(report.metadata["checkpoint_path"]).read_bytes())
        assert isinstance(model, StackingClassifier)
        assert model.stack_method == "predict_proba"
        assert model.final_estimator_.n_features_in_ == 2


# --- Spark


@pytest.mark.spark
def test_a_table_of_spark_is_tuned_on_spark_with_the_same_scores(diabetes, spark, tmp_path):
    space = sk_space(Ridge, alpha=Grid(0.1, 10)) + sk_space(DecisionTreeRegressor, max_depth=RandInt(1, 6))
    half = diabetes.assign(part=[0.0, 1.0] * 221)
    on_executors = spark.createDataFrame(half.to_numpy().tolist(), list(half.columns))
    said = {"partition_keys": ["part"], "top_n": 0, "local_optimizer": "hyperopt:4", "verbose": 0}
    on_spark = suggest_sk_models_by_cv(space, on_executors, "r2", 3, str(tmp_path), **said)
    here = suggest_sk_models_by_cv(space, half, "r2", 3, **said)

    def scores(reports) -> dict[tuple[int, str], float]:
        return {(r.trial.keys[0], str(r.trial.params)): r.metric for r in reports}

    assert len(here) == 6
    assert scores(on_spark) == pytest.approx(scores(here), abs=0.2)
