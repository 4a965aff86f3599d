"""The studies behind the front door, on a dataset of candidates."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from maggy.engine.base import Engine
from maggy.errors import ConfigError, ExperimentFailedError
from maggy.optimizer import Hyperband, Optimizer, SuccessiveHalving
from maggy.optimizer import Plan as TotalPlan
from maggy.optimizer.budgeted.budgets import is_number
from maggy.result import Result
from maggy.trial import Trial
from maggy.tune.dataset import TuneDataset
from maggy.tune.engines import to_engine
from maggy.tune.iterative import to_iterative_objective
from maggy.tune.judging import JudgedAsha, StudyEarlyStop, TrialEarlyStop
from maggy.tune.local_optimizer import NonIterativeObjectiveLocalOptimizer, to_local_optimizer
from maggy.tune.objective import to_noniterative_objective
from maggy.tune.running import Plan, continuous_rungs, once, report_of, reports_of, run, rungs
from maggy.tune.stopper import NonIterativeStopper
from maggy.tune.studies import Once
from maggy.tune.study import StudyResult
from maggy.tune.watching import to_trackers

_SPLIT_SEED = 0


def optimize_noniterative(
    objective: Any,
    dataset: TuneDataset,
    optimizer: str | NonIterativeObjectiveLocalOptimizer | None = None,
    distributed: bool | None = None,
    logger: Any = None,
    monitor: Any = None,
    stopper: NonIterativeStopper | None = None,
    stop_check_interval: Any = None,
    *,
    execution_engine: Any = None,
    **settings: Any,
) -> StudyResult:
    """Try every candidate of a dataset once; see `suggest_for_noniterative_objective`.

    optimizer  the local optimizer
    """
    func, local = to_noniterative_objective(objective), to_local_optimizer(optimizer)
    if not isinstance(stopper, NonIterativeStopper | None):
        raise ConfigError(f"stopper is e.g. n_samples(10), or SimpleNonIterativeStopper(function), got {stopper!r}")
    left = dataset.unfilled
    if left is not None:
        if local is None:
            raise ConfigError(
                f"the candidate {left.params!r} leaves something to choose: sample the space, space.sample(n), or "
                f"search it with local_optimizer, e.g. 'hyperopt:20'"
            )
        local.check(left)
    result = run(
        dataset,
        once(dataset, func, local),
        lambda: Once(stopper, lambda trial: report_of(dataset, trial.params, trial.metric_dict or {})),
        to_engine(execution_engine, distributed=distributed),
        how=local,
        trackers=to_trackers(dataset, monitor, logger),
        **{"name": "tune", **settings},
    )
    return _study(dataset, result.trials, result)


def optimize_by_sha(
    objective: Any,
    dataset: TuneDataset,
    plan: Plan,
    checkpoint_path: str = "",
    distributed: bool | None = None,
    monitor: Any = None,
    *,
    execution_engine: Any = None,
    **settings: Any,
) -> StudyResult:
    """Successive halving on a dataset; see `suggest_by_sha`.

    checkpoint_path  taken for compatibility: checkpoints lie in the experiment's folder
    """
    totals = totals_of(plan)
    engine = to_engine(execution_engine, distributed=distributed)
    return _by_rungs(objective, dataset, lambda: SuccessiveHalving(totals), plan, monitor, engine, settings)


def optimize_by_hyperband(
    objective: Any,
    dataset: TuneDataset,
    plans: Sequence[Plan],
    checkpoint_path: str = "",
    distributed: bool | None = None,
    monitor: Any = None,
    *,
    execution_engine: Any = None,
    **settings: Any,
) -> StudyResult:
    """Hyperband on a dataset; see `suggest_by_hyperband`."""
    totals = [totals_of(plan) for plan in plans]
    chance = random.Random(_SPLIT_SEED)
    trials = []
    for study in dataset.studies():
        chance.shuffle(study)
        trials += [dataset.trials[index] for index in study]
    shuffled = TuneDataset(trials, dataset.tables)
    engine = to_engine(execution_engine, distributed=distributed)
    return _by_rungs(objective, shuffled, lambda: Hyperband(plans=totals), plans, monitor, engine, settings)


def optimize_by_continuous_asha(
    objective: Any,
    dataset: TuneDataset,
    plan: Plan,
    checkpoint_path: str = "",
    always_checkpoint: bool = False,
    study_early_stop: StudyEarlyStop | None = None,
    trial_early_stop: TrialEarlyStop | None = None,
    monitor: Any = None,
    *,
    execution_engine: Any = None,
    **settings: Any,
) -> StudyResult:
    """Continuous ASHA on a dataset; see `suggest_by_continuous_asha`.

    always_checkpoint  save after every rung, so that a worker that dies costs one rung; else where a trial ends
    study_early_stop   called on the driver with a partition's keys and its rungs (`RungHeap`) before a candidate
                       begins: whether none begins any more. None: when all rungs are full
    trial_early_stop   called on the driver with a report, the reports of the rungs before, and the rungs: whether the
                       candidate stops there, whatever it has reached
    """
    func = to_iterative_objective(objective)
    totals_of(plan)
    _refuse_random(dataset)
    result = run(
        dataset,
        continuous_rungs(dataset, func, plan, always_checkpoint=always_checkpoint),
        lambda: JudgedAsha(dataset, plan, study_early_stop, trial_early_stop),
        to_engine(execution_engine),
        how=plan,
        trackers=to_trackers(dataset, monitor, plan=plan),
        **{"name": "tune-asha", **settings},
    )
    return _study(dataset, result.trials, result)


def _by_rungs(
    objective: Any,
    dataset: TuneDataset,
    make: Callable[[], Optimizer],
    plans: Sequence[Any],
    monitor: Any,
    engine: Engine,
    settings: Mapping[str, Any],
) -> StudyResult:
    """Those that have run the last rung of their plan have a report; of a study that was interrupted, all."""
    func = to_iterative_objective(objective)
    _refuse_random(dataset)
    trackers = to_trackers(dataset, monitor)
    result = run(
        dataset, rungs(dataset, func), make, engine, how=plans, trackers=trackers, **{"name": "tune", **settings}
    )
    through = [trial for trial in result.trials if result.interrupted or _is_through(trial)]
    return _study(dataset, through, result)


def _study(dataset: TuneDataset, trials: Iterable[Trial], result: Result) -> StudyResult:
    """What the reports of these trials come to. Raises ExperimentFailedError where all that were tried have failed."""
    reports = reports_of(dataset, trials)
    failed = [trial for trial in result.trials if trial.error]
    if failed and not reports and not result.interrupted:
        raise ExperimentFailedError(
            f"no candidate came to a result, as {len(failed)} have failed: {failed[0].error}\n"
            f"{failed[0].traceback or ''}".rstrip(),
            error=failed[0].error or "",
            traceback=failed[0].traceback or "",
            failed=len(failed),
        )
    return StudyResult(dataset, reports, result)


def _is_through(trial: Trial) -> bool:
    """Whether it has run the last rung of its plan; one that failed there shows what it had come to before."""
    return not trial.resumable and trial.error is None


def totals_of(plan: Plan) -> TotalPlan:
    """A plan of increments as one of totals. Raises ConfigError for what is no plan."""
    given: list[Any] = list(plan) if isinstance(plan, Iterable) else []
    for rung in given or [plan]:
        good = isinstance(rung, tuple | list) and len(rung) == 2 and all(map(is_number, rung))
        if not (good and rung[0] > 0 and rung[1] >= 1 and rung[1] == int(rung[1])):
            raise ConfigError(
                f"a plan is a list of (budget, keep), what each rung adds and how many go on from it, e.g. "
                f"[(1, 8), (2, 4)], got {rung!r}"
            )
    return TotalPlan.from_increments(plan)


def _refuse_random(dataset: TuneDataset) -> None:
    if dataset.unfilled is not None:
        raise ConfigError(
            f"the candidate {dataset.unfilled.params!r} leaves something to choose, and an iterative objective has no "
            f"local optimizer: sample the space first, space.sample(16)"
        )
