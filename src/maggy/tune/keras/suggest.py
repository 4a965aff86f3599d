"""The front door for models of Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maggy.errors import ConfigError
from maggy.searchspace import Space
from maggy.tune.keras.objective import KerasObjective
from maggy.tune.keras.spec import KerasTrainingSpec
from maggy.tune.models import model_space, models_of
from maggy.tune.running import Plan
from maggy.tune.study import TrialReports
from maggy.tune.suggest import SpaceLike, suggest_by_continuous_asha, suggest_by_hyperband, suggest_by_sha


def keras_space(model: type[KerasTrainingSpec], **params: Any) -> Space:
    """A space of one spec; `+` joins those of several.

    params  of the spec: values or expressions

    Source: Fugue-Tune's function of this name.

    Raises ConfigError for what is no spec.
    """
    if not isinstance(model, type) or not issubclass(model, KerasTrainingSpec):
        raise ConfigError(f"a model of Keras is a class of KerasTrainingSpec, got {model!r}")
    return model_space(model, params)


def suggest_keras_models_by_sha(
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
    """Successive halving: all candidates train for a few epochs, the best of them longer, from their checkpoints.

    space     made by `keras_space`, and sampled
    plan      rungs as (epochs, keep): how many epochs more, and how many candidates go on then
    train_df  a table, which the spec gets as `self.dfs["df"]`

    The other arguments are those of `suggest_by_sha`.

    Source: Fugue-Tune's function of this name.
    """
    space = Space(space)
    return suggest_by_sha(
        KerasObjective(models_of(space, "keras_space")),
        space,
        plan,
        train_df,
        temp_path,
        partition_keys,
        top_n,
        monitor,
        distributed,
        execution_engine,
        execution_engine_conf,
        **settings,
    )


def suggest_keras_models_by_hyperband(
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

    The arguments are those of `suggest_keras_models_by_sha` and `suggest_by_hyperband`.

    Source: Fugue-Tune's function of this name.
    """
    space = Space(space)
    return suggest_by_hyperband(
        KerasObjective(models_of(space, "keras_space")),
        space,
        plans,
        train_df,
        temp_path,
        partition_keys,
        top_n,
        monitor,
        distributed,
        execution_engine,
        execution_engine_conf,
        **settings,
    )


def suggest_keras_models_by_continuous_asha(
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
    """Continuous ASHA: each candidate trains on as long as it is among the best that have come as far.

    The arguments are those of `suggest_keras_models_by_sha` and `suggest_by_continuous_asha`.

    Source: Fugue-Tune's function of this name.
    """
    space = Space(space)
    return suggest_by_continuous_asha(
        KerasObjective(models_of(space, "keras_space")),
        space,
        plan,
        train_df,
        temp_path,
        partition_keys,
        top_n,
        monitor,
        execution_engine,
        execution_engine_conf,
        **settings,
    )
