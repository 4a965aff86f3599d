"""Stacking: the best models of a search as one, put together by a final model that is searched for, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from maggy.searchspace import Space
from maggy.tune.dataset import TuneDataset, TuneDatasetBuilder
from maggy.tune.engines import to_engine
from maggy.tune.local_optimizer import NonIterativeObjectiveLocalOptimizer
from maggy.tune.models import SPACE_MODEL_NAME, models_of
from maggy.tune.sklearn.folds import cross_validate
from maggy.tune.sklearn.objective import TRAIN, Columns, SKCVObjective, folder_for
from maggy.tune.sklearn.spaces import Models
from maggy.tune.stopper import NonIterativeStopper
from maggy.tune.study import TrialReports
from maggy.tune.suggest import SpaceLike, with_path
from maggy.tune.temp import TUNE_OBJECT_FACTORY
from maggy.tune.template import TuningParametersTemplate
from maggy.tune.trial import Trial, TrialReport

Parts = Mapping[tuple[Any, ...], Sequence[Mapping[str, Any]]]
"""The configurations of the models that are stacked, by partition."""


class Stacks(Models):
    """Makes stacks: a configuration is that of the final model.

    parts    what is stacked
    options  of `StackingClassifier` or `StackingRegressor`
    method   what a classifier's parts are asked for, see `StackingClassifier`
    """

    def __init__(self, classes: Mapping[str, type], parts: Parts, options: Mapping[str, Any], method: str) -> None:
        super().__init__(classes)
        self._parts, self._options, self._method = parts, dict(options), method

    def make(self, params: Mapping[str, Any], keys: Sequence[Any]) -> Any:
        from sklearn.base import is_classifier
        from sklearn.ensemble import StackingClassifier, StackingRegressor

        parts = [(f"part_{i}", super(Stacks, self).make(part, keys)) for i, part in enumerate(self._parts[tuple(keys)])]
        final = super().make(params, keys)
        if is_classifier(final):
            return StackingClassifier(parts, final, stack_method=self._method, **self._options)
        return StackingRegressor(parts, final, **self._options)

    def describe(self, params: Mapping[str, Any], keys: Sequence[Any]) -> dict[str, Any]:
        kind = type(self.make(params, keys))
        return {
            SPACE_MODEL_NAME: f"{kind.__module__}.{kind.__qualname__}",
            "estimators": [dict(part) for part in self._parts[tuple(keys)]],
            "final_estimator": dict(params),
        }


def suggest_sk_stacking_model(
    space: SpaceLike,
    stack_space: SpaceLike,
    train_df: Any,
    scoring: Any,
    temp_path: str = "",
    cv: Any = 5,
    feature_prefix: str = "",
    label_col: str = "label",
    save_model: bool = False,
    partition_keys: str | Sequence[str] | None = None,
    top_n: int = 0,
    local_optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
    monitor: Any = None,
    stopper: NonIterativeStopper | None = None,
    stop_check_interval: Any = None,
    distributed: bool | None = None,
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    stack_cv: int = 2,
    stack_method: str = "auto",
    stack_passthrough: bool = False,
    **settings: Any,
) -> TrialReports:
    """Search the best models, then the best final model for a stack of them; returns the best stack of each partition.

    space              of the models that are stacked, made by `sk_space`: of each class the best one, by
                       cross-validation, is taken
    stack_space        of the final models; whether it is a stack of classifiers or of regressors, they say
    top_n              how many classes at most are stacked, the best; 0 for all
    stack_cv           folds within the stack, whose predictions the final model learns from
    stack_method       what classifiers are asked for: "auto", "predict_proba", "decision_function" or "predict"
    stack_passthrough  whether the final model sees the features, too

    The other arguments are those of `suggest_sk_models_by_cv`. Each stack is cross-validated on the same rows as the
    models were, which flatters it a little. A report's params are those of the parts, as "estimators", and of the
    "final_estimator".

    Source: the function of this name in `fugue_tune`, the predecessor of Fugue-Tune; Wolpert, Neural Networks 5, 1992.

    Raises as `suggest_sk_models`.
    """
    space, stack_space = Space(space), Space(stack_space)
    models, finals = models_of(space, "sk_space"), models_of(stack_space, "sk_space")
    builder = TuneDatasetBuilder(space, TUNE_OBJECT_FACTORY.get_path_or_temp(temp_path)).add_df(TRAIN, train_df)
    dataset = builder.build(partition_keys or ())
    columns = Columns(label_col, feature_prefix, tuple(dataset.keys))
    columns.check("train_df", train_df)
    engine = to_engine(execution_engine, execution_engine_conf, df=train_df, distributed=distributed)
    watched = {"monitor": monitor, "stopper": stopper, "stop_check_interval": stop_check_interval}

    objective = SKCVObjective(Models(models), columns, scoring, cv)
    first = cross_validate(
        objective,
        dataset,
        engine,
        local_optimizer=local_optimizer,
        settings={"name": "tune-parts", **_within(settings, temp_path, "parts")},
        **watched,
    )
    parts = _best_of_each_class(first.result(), top_n)
    options = {"cv": stack_cv, "passthrough": stack_passthrough}
    stacks = Stacks({**models, **finals}, parts, options, stack_method)
    templates = list(map(TuningParametersTemplate, stack_space.cells()))
    candidates = TuneDataset([Trial.of(each, key) for key in parts for each in templates], dataset.tables)
    study = cross_validate(
        SKCVObjective(stacks, columns, scoring, cv, folder_for(save_model, temp_path)),
        candidates,
        engine,
        local_optimizer=local_optimizer,
        settings={"name": "tune-stacks", **_within(settings, temp_path, "stacks")},
        **watched,
    )
    return study.result(1)


def _best_of_each_class(reports: Iterable[TrialReport], top_n: int) -> Parts:
    """Reports come best first."""
    best: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = defaultdict(dict)
    for report in reports:
        params = report.params.simple_value
        of_key = best[tuple(report.trial.keys)]
        if params[SPACE_MODEL_NAME] not in of_key and not (0 < top_n <= len(of_key)):
            of_key[params[SPACE_MODEL_NAME]] = params
    return {key: list(of_key.values()) for key, of_key in best.items()}


def _within(settings: Mapping[str, Any], temp_path: str, part: str) -> dict[str, Any]:
    """Settings of one of the two searches, each of which is an experiment."""
    given = settings.get("experiment_dir")
    return with_path(settings if given is None else {**settings, "experiment_dir": f"{given}/{part}"}, temp_path)
