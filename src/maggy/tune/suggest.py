"""The front door: one call that tries the candidates of a space and returns the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from maggy.searchspace import Space
from maggy.tune.dataset import TUNE_DATASET_DF_DEFAULT_NAME, TuneDataset, TuneDatasetBuilder
from maggy.tune.engines import to_engine
from maggy.tune.local_optimizer import NonIterativeObjectiveLocalOptimizer
from maggy.tune.optimize import (
    optimize_by_continuous_asha,
    optimize_by_hyperband,
    optimize_by_sha,
    optimize_noniterative,
)
from maggy.tune.running import Plan
from maggy.tune.stopper import NonIterativeStopper
from maggy.tune.study import TrialReports
from maggy.tune.temp import TUNE_OBJECT_FACTORY

SpaceLike = Space | Mapping[str, Any] | Iterable[Any]


def suggest_for_noniterative_objective(
    objective: Any,
    space: SpaceLike,
    df: Any = None,
    df_name: str = TUNE_DATASET_DF_DEFAULT_NAME,
    temp_path: str = "",
    partition_keys: str | Sequence[str] | None = None,
    top_n: int = 1,
    local_optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
    logger: Any = None,
    monitor: Any = None,
    stopper: NonIterativeStopper | None = None,
    stop_check_interval: Any = None,
    distributed: bool | None = None,
    shuffle_candidates: bool = True,
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrialReports:
    """Try every candidate of a space once, and return the best.

    objective         a function that takes the parameters, and the table, by name and returns a number, or a pair of a
                      number and a dict of metadata; smaller is better, unless `noniterative_objective` says otherwise.
                      Or an object of `NonIterativeObjectiveFunc`
    space             grids and samples are candidates; what they leave to choose is for the local optimizer
    df                a table, of pandas, Arrow, Polars, Dask or Spark, that the objective gets
    df_name           the name of the argument
    temp_path         a folder or URL, seen by all workers, for the table and the experiment
    partition_keys    columns of the table: each value of them is a study of its own, over its rows
    top_n             how many reports to return, for each partition; 0 for all
    local_optimizer   e.g. "hyperopt:20", "optuna:20", "tpe:20", or an object
    logger            see `maggy.tune.loggers`
    monitor           "hist", "rungs", "ts", "text", a `Monitor`, or several
    stopper           ends the search of a partition early
    stop_check_interval  taken for compatibility: what runs is interrupted at once
    distributed       False: in this thread, whatever the engine
    shuffle_candidates  try the candidates in an order of chance, the same each time
    execution_engine  see `to_engine`; None: this thread, or Spark for a table of Spark
    settings          `verbose`; `resume`, the folder of an experiment to go on with; further fields of
                      `HyperparameterOptConfig`, e.g. `num_workers`, `experiment_dir`

    Returns the reports by `sort_metric`, smallest first; `to_pandas()` of them is a table, with the partition keys.

    Raises ConfigError before anything starts; what `lagom` raises. A candidate that fails is only recorded.

    Source: Fugue-Tune's function of this name.
    """
    dataset = _dataset(space, df, df_name, temp_path, partition_keys, shuffle=shuffle_candidates)
    study = optimize_noniterative(
        objective,
        dataset,
        optimizer=local_optimizer,
        logger=logger,
        monitor=monitor,
        stopper=stopper,
        stop_check_interval=stop_check_interval,
        execution_engine=to_engine(execution_engine, execution_engine_conf, df=df, distributed=distributed),
        **with_path(settings, temp_path),
    )
    return study.result(top_n)


def suggest_by_sha(
    objective: Any,
    space: SpaceLike,
    plan: Plan,
    train_df: Any = None,
    temp_path: str = "",
    partition_keys: str | Sequence[str] | None = None,
    top_n: int = 1,
    monitor: Any = None,
    distributed: bool | None = None,
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrialReports:
    """Successive halving: all candidates run a little, the best of them longer, from their checkpoints, and so on.

    objective  an `IterativeObjectiveFunc`
    plan       rungs as (budget, keep): what a rung adds, and how many go on from it
    train_df   a table that the objective gets as `current_trial.dfs["df"]`

    The other arguments are those of `suggest_for_noniterative_objective`. Raises ConfigError for a space with random
    parts, too: sample it first.

    Source: Fugue-Tune's function of this name; Jamieson and Talwalkar, arXiv 1502.07943.
    """
    dataset = _dataset(space, train_df, TUNE_DATASET_DF_DEFAULT_NAME, temp_path, partition_keys)
    study = optimize_by_sha(
        objective,
        dataset,
        plan,
        monitor=monitor,
        execution_engine=to_engine(execution_engine, execution_engine_conf, df=train_df, distributed=distributed),
        **with_path(settings, temp_path),
    )
    return study.result(top_n)


def suggest_by_hyperband(
    objective: Any,
    space: SpaceLike,
    plans: Sequence[Plan],
    train_df: Any = None,
    temp_path: str = "",
    partition_keys: str | Sequence[str] | None = None,
    top_n: int = 1,
    monitor: Any = None,
    distributed: bool | None = None,
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrialReports:
    """Hyperband: several plans of successive halving, among which the candidates are divided.

    plans  each gets candidates in proportion to what its first rung keeps

    The other arguments are those of `suggest_by_sha`.

    Source: Fugue-Tune's function of this name; Li et al., arXiv 1603.06560.
    """
    dataset = _dataset(space, train_df, TUNE_DATASET_DF_DEFAULT_NAME, temp_path, partition_keys)
    study = optimize_by_hyperband(
        objective,
        dataset,
        plans,
        monitor=monitor,
        execution_engine=to_engine(execution_engine, execution_engine_conf, df=train_df, distributed=distributed),
        **with_path(settings, temp_path),
    )
    return study.result(top_n)


def suggest_by_continuous_asha(
    objective: Any,
    space: SpaceLike,
    plan: Plan,
    train_df: Any = None,
    temp_path: str = "",
    partition_keys: str | Sequence[str] | None = None,
    top_n: int = 1,
    monitor: Any = None,
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrialReports:
    """Continuous ASHA: each candidate runs on as long as it is among the best `keep` that have come as far.

    Nobody waits for a rung to be complete, and nothing is read from checkpoints. The arguments are those of
    `suggest_by_sha`.

    Source: Fugue-Tune's function of this name.
    """
    dataset = _dataset(space, train_df, TUNE_DATASET_DF_DEFAULT_NAME, temp_path, partition_keys)
    study = optimize_by_continuous_asha(
        objective,
        dataset,
        plan,
        monitor=monitor,
        execution_engine=to_engine(execution_engine, execution_engine_conf, df=train_df),
        **with_path(settings, temp_path),
    )
    return study.result(top_n)


def _dataset(
    space: SpaceLike,
    df: Any,
    df_name: str,
    temp_path: str,
    partition_keys: str | Sequence[str] | None,
    *,
    shuffle: bool = True,
) -> TuneDataset:
    builder = TuneDatasetBuilder(space, TUNE_OBJECT_FACTORY.get_path_or_temp(temp_path))
    if df is not None:
        builder.add_df(df_name, df)
    return builder.build(partition_keys or (), shuffle=shuffle)


def with_path(settings: Mapping[str, Any], temp_path: str) -> dict[str, Any]:
    """The experiment lies where tables do, unless it is said."""
    path = TUNE_OBJECT_FACTORY.get_path_or_temp(temp_path)
    return {"experiment_dir": TUNE_OBJECT_FACTORY.fresh(path), **settings} if path else dict(settings)
