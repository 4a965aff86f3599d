"""The front door for models of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maggy.searchspace import Space
from maggy.tune.dataset import TuneDatasetBuilder
from maggy.tune.engines import to_engine
from maggy.tune.local_optimizer import NonIterativeObjectiveLocalOptimizer
from maggy.tune.models import models_of
from maggy.tune.optimize import optimize_noniterative
from maggy.tune.sklearn.folds import cross_validate
from maggy.tune.sklearn.objective import TEST, TRAIN, Columns, SKCVObjective, SKObjective, folder_for
from maggy.tune.sklearn.spaces import Models
from maggy.tune.stopper import NonIterativeStopper
from maggy.tune.study import TrialReports
from maggy.tune.suggest import SpaceLike, with_path
from maggy.tune.temp import TUNE_OBJECT_FACTORY


def suggest_sk_models(
    space: SpaceLike,
    train_df: Any,
    test_df: Any,
    scoring: Any,
    temp_path: str = "",
    feature_prefix: str = "",
    label_col: str = "label",
    save_model: bool = False,
    partition_keys: str | Sequence[str] | None = None,
    top_n: int = 1,
    local_optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
    monitor: Any = None,
    stopper: NonIterativeStopper | None = None,
    stop_check_interval: Any = None,
    distributed: bool | None = None,
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrialReports:
    """Fit every candidate on one table, score it on another, and return the best.

    space           made by `sk_space`; several by `+`
    train_df        of pandas, Arrow, Polars or Spark
    test_df         the same; where the tables are partitioned, keys that are in both are tried
    scoring         a name that scikit-learn knows, e.g. "neg_mean_absolute_error", or a function of a model, features
                    and labels; larger is better
    temp_path       a folder or URL, seen by all workers, for tables, fitted models and the experiment
    feature_prefix  how the names of the columns that are features begin; "" for all but the label and the keys
    label_col       the column to be predicted
    save_model      write each fitted model, by cloudpickle; where, is in the report's metadata as `checkpoint_path`

    The other arguments are those of `suggest_for_noniterative_objective`. A report's metric is the score, its
    `sort_metric` the negative score; its metadata have the `model`'s dotted path.

    A model whose `random_state` is left open gets 0, so that a search repeats.

    Source: Fugue-Tune's function of this name. There, partition keys are features.

    Raises ConfigError where a table lacks the label; what `suggest_for_noniterative_objective` raises.
    """
    space = Space(space)
    models = Models(models_of(space, "sk_space"))
    builder = TuneDatasetBuilder(space, TUNE_OBJECT_FACTORY.get_path_or_temp(temp_path))
    builder.add_df(TRAIN, train_df).add_df(TEST, test_df)
    dataset = builder.build(partition_keys or ())
    columns = Columns(label_col, feature_prefix, tuple(dataset.keys))
    columns.check("train_df", train_df)
    columns.check("test_df", test_df)
    study = optimize_noniterative(
        SKObjective(models, columns, scoring, folder_for(save_model, temp_path)),
        dataset,
        optimizer=local_optimizer,
        monitor=monitor,
        stopper=stopper,
        stop_check_interval=stop_check_interval,
        execution_engine=to_engine(execution_engine, execution_engine_conf, df=train_df, distributed=distributed),
        **with_path(settings, temp_path),
    )
    return study.result(top_n)


def suggest_sk_models_by_cv(
    space: SpaceLike,
    train_df: Any,
    scoring: Any,
    cv: Any = 5,
    temp_path: str = "",
    feature_prefix: str = "",
    label_col: str = "label",
    save_model: bool = False,
    partition_keys: str | Sequence[str] | None = None,
    top_n: int = 1,
    local_optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
    monitor: Any = None,
    stopper: NonIterativeStopper | None = None,
    stop_check_interval: Any = None,
    distributed: bool | None = None,
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrialReports:
    """Cross-validate every candidate, and return the best.

    cv          a number of folds, for which the rows are shuffled; or a splitter of scikit-learn, or a list of pairs of
                row numbers, for which they stay in order
    save_model  fit each on all rows, too, and write it

    The other arguments are those of `suggest_sk_models`. A report's metric is the mean of the scores; its metadata have
    them as `cv_scores`. Where there are fewer candidates than workers, the folds of a candidate run in parallel.

    Source: Fugue-Tune's function of this name.

    Raises as `suggest_sk_models`.
    """
    space = Space(space)
    models = Models(models_of(space, "sk_space"))
    builder = TuneDatasetBuilder(space, TUNE_OBJECT_FACTORY.get_path_or_temp(temp_path)).add_df(TRAIN, train_df)
    dataset = builder.build(partition_keys or ())
    columns = Columns(label_col, feature_prefix, tuple(dataset.keys))
    columns.check("train_df", train_df)
    study = cross_validate(
        SKCVObjective(models, columns, scoring, cv, folder_for(save_model, temp_path)),
        dataset,
        to_engine(execution_engine, execution_engine_conf, df=train_df, distributed=distributed),
        local_optimizer=local_optimizer,
        monitor=monitor,
        stopper=stopper,
        stop_check_interval=stop_check_interval,
        settings=with_path(settings, temp_path),
    )
    return study.result(top_n)
