"""Cross-validation: the folds of a candidate one after another, or each as a trial of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from maggy.engine.base import Engine
from maggy.errors import ExperimentFailedError
from maggy.tune.dataset import TuneDataset
from maggy.tune.local_optimizer import NonIterativeObjectiveLocalOptimizer
from maggy.tune.optimize import optimize_noniterative
from maggy.tune.sklearn.objective import ALL, FOLD, SKCVObjective
from maggy.tune.stopper import NonIterativeStopper
from maggy.tune.study import StudyResult
from maggy.tune.trial import Trial, TrialReport


def cross_validate(
    objective: SKCVObjective,
    dataset: TuneDataset,
    engine: Engine,
    *,
    local_optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
    monitor: Any = None,
    stopper: NonIterativeStopper | None = None,
    stop_check_interval: Any = None,
    settings: Mapping[str, Any],
) -> StudyResult:
    """Cross-validate every candidate.

    Where there are fewer candidates than workers, each fold is a trial, so that no worker idles; not with a local
    optimizer, which needs the mean before it goes on, nor with a stopper or a monitor, which look at means.
    """
    folds = objective.cv if isinstance(objective.cv, int) else getattr(objective.cv, "n_splits", 1)
    whole = local_optimizer is None and stopper is None and monitor is None
    if whole and folds > 1 and len(dataset.trials) < _workers(engine, settings):
        return _fold_by_fold(objective, dataset, folds, engine, settings)
    return optimize_noniterative(
        objective,
        dataset,
        optimizer=local_optimizer,
        monitor=monitor,
        stopper=stopper,
        stop_check_interval=stop_check_interval,
        execution_engine=engine,
        **settings,
    )


def _workers(engine: Engine, settings: Mapping[str, Any]) -> int:
    if engine.bind_host is None:
        return 1
    return settings.get("num_workers") or engine.slots(settings.get("resources_per_worker") or {}) or 1


def _fold_by_fold(
    objective: SKCVObjective, dataset: TuneDataset, folds: int, engine: Engine, settings: Mapping[str, Any]
) -> StudyResult:
    numbers = [*range(folds), ALL] if objective.folder else list(range(folds))
    candidate_of = {}
    parts = []
    for candidate in dataset.trials:
        for fold in numbers:
            part = Trial.of({**candidate.params.simple_value, FOLD: fold}, candidate.keys)
            candidate_of[part.trial_id] = candidate
            parts.append(part)
    study = optimize_noniterative(
        objective, TuneDataset(parts, dataset.tables), execution_engine=engine, **{"name": "tune-folds", **settings}
    )
    found: dict[str, dict[int, TrialReport]] = defaultdict(dict)
    for report in study.reports:
        found[candidate_of[report.trial_id].trial_id][report.trial.params[FOLD]] = report
    reports = [
        _joined(objective, trial, found[trial.trial_id])
        for trial in dataset.trials
        if len(found[trial.trial_id]) == len(numbers)  # without one of its folds a candidate has failed
    ]
    if not reports:
        _raise_failed(study)
    return StudyResult(dataset, reports, study.lagom)


def _raise_failed(study: StudyResult) -> None:
    """Where no candidate is left because folds have failed, say so, as a search does in which everything fails."""
    failed = [trial for trial in study.lagom.trials if trial.error] if study.lagom is not None else []
    if failed:
        raise ExperimentFailedError(
            f"every candidate has a fold that failed: {failed[0].error}\n{failed[0].traceback or ''}".rstrip(),
            error=failed[0].error or "",
            traceback=failed[0].traceback or "",
            failed=len(failed),
        )


def _joined(objective: SKCVObjective, trial: Trial, parts: Mapping[int, TrialReport]) -> TrialReport:
    import numpy as np

    saved = parts[ALL].metadata if ALL in parts else {}
    scores = [parts[fold].metric for fold in sorted(parts) if fold != ALL]
    metric = float(np.mean(scores))
    return TrialReport(
        trial,
        metric,
        params=parts[0].params,
        metadata={**saved, **parts[0].metadata, "cv_scores": scores},
        sort_metric=objective.generate_sort_metric(metric),
        log_time=max(report.log_time for report in parts.values()),
    )
