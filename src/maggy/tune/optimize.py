"""The studies behind the front door, on a dataset of candidates."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from maggy.engine.base import Engine
from maggy.errors import ConfigError
from maggy.optimizer import ContinuousAsha, Hyperband, Optimizer, SuccessiveHalving
from maggy.optimizer import Plan as TotalPlan
from maggy.result import Result
from maggy.tune.dataset import TuneDataset
from maggy.tune.engines import to_engine
from maggy.tune.iterative import to_iterative_objective
from maggy.tune.local_optimizer import NonIterativeObjectiveLocalOptimizer, to_local_optimizer
from maggy.tune.objective import to_noniterative_objective
from maggy.tune.running import Plan, continuous_rungs, once, report_of, reports_of, run, rungs
from maggy.tune.stopper import NonIterativeStopper
from maggy.tune.studies import Once
from maggy.tune.trial import TrialReport
from maggy.tune.watching import to_trackers

_SPLIT_SEED = 0


class StudyResult:
    """What came of a study.

    dataset  what was tried
    reports  the last of each candidate that has one, in order of their ends
    result   what `lagom` returned: every trial, failed ones too

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, dataset: TuneDataset, reports: Sequence[TrialReport], result: Result | None = None) -> None:
        self.dataset, self.reports, self.lagom = dataset, list(reports), result

    def result(self, best_n: int = 0) -> list[TrialReport]:
        """The best reports of each partition, 0 for all; sorted over all partitions, the best first."""
        taken: Counter[tuple[Any, ...]] = Counter()
        best = []
        for report in sorted(self.reports, key=lambda each: each.sort_metric):
            key = tuple(report.trial.keys)
            taken[key] += 1
            if best_n <= 0 or taken[key] <= best_n:
                best.append(report)
        return best

    def next_tune_dataset(self, best_n: int = 0) -> TuneDataset:
        """The best candidates as a dataset, on the same tables."""
        return TuneDataset([report.trial for report in self.result(best_n)], self.dataset.tables)

    def union_with(self, other: StudyResult) -> None:
        """Take in the reports of another study; of a candidate that both have, the better one."""
        best = {report.trial_id: report for report in self.reports}
        for report in other.reports:
            known = best.get(report.trial_id)
            if known is None or report.sort_metric < known.sort_metric:
                best[report.trial_id] = report
        known_ids = {trial.trial_id for trial in self.dataset.trials}
        more = [trial for trial in other.dataset.trials if trial.trial_id not in known_ids]
        self.dataset = TuneDataset([*self.dataset.trials, *more], self.dataset.tables)
        self.reports = list(best.values())

    def to_pandas(self) -> Any:
        """A table of the reports, best first: the partition keys, the metric, the parameters, the metadata."""
        import pandas as pd

        rows = []
        for report in self.result():
            keys = dict(zip(self.dataset.keys, report.trial.keys, strict=True))
            about = {"metric": report.metric, "sort_metric": report.sort_metric, "rung": report.rung}
            rows.append({**keys, **about, **report.params.simple_value, "metadata": report.metadata})
        return pd.DataFrame(rows)


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
    for trial in dataset.trials if local is None else ():
        if not trial.params.empty:
            raise ConfigError(
                f"the candidate {trial.params!r} leaves something to choose: sample the space, space.sample(n), or "
                f"search it with local_optimizer, e.g. 'hyperopt:20'"
            )
    result = run(
        dataset,
        once(dataset, func, local),
        lambda: Once(stopper, lambda trial: report_of(dataset, trial.params, trial.metric_dict or {})),
        to_engine(execution_engine, distributed=distributed),
        trackers=to_trackers(dataset, monitor, logger),
        **{"name": "tune", **settings},
    )
    return StudyResult(dataset, reports_of(dataset, result.trials), result)


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
    return _by_rungs(objective, dataset, lambda: SuccessiveHalving(totals), monitor, engine, settings)


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
    return _by_rungs(objective, shuffled, lambda: Hyperband(plans=totals), monitor, engine, settings)


def optimize_by_continuous_asha(
    objective: Any,
    dataset: TuneDataset,
    plan: Plan,
    checkpoint_path: str = "",
    always_checkpoint: bool = False,
    monitor: Any = None,
    *,
    execution_engine: Any = None,
    **settings: Any,
) -> StudyResult:
    """Continuous ASHA on a dataset; see `suggest_by_continuous_asha`.

    always_checkpoint  save after every rung, so that a worker that dies costs one rung; else where a trial ends
    """
    func = to_iterative_objective(objective)
    totals_of(plan)
    _refuse_random(dataset)
    by_rung = [(rung, keep) for rung, (_, keep) in enumerate(plan, 1)]
    result = run(
        dataset,
        continuous_rungs(dataset, func, plan, always_checkpoint=always_checkpoint),
        lambda: ContinuousAsha(by_rung),
        to_engine(execution_engine),
        trackers=to_trackers(dataset, monitor),
        **{"name": "tune-asha", **settings},
    )
    return StudyResult(dataset, reports_of(dataset, result.trials), result)


def _by_rungs(
    objective: Any,
    dataset: TuneDataset,
    make: Callable[[], Optimizer],
    monitor: Any,
    engine: Engine,
    settings: Mapping[str, Any],
) -> StudyResult:
    """Those that have run the last rung of their plan have a report."""
    func = to_iterative_objective(objective)
    _refuse_random(dataset)
    trackers = to_trackers(dataset, monitor)
    result = run(dataset, rungs(dataset, func), make, engine, trackers=trackers, **{"name": "tune", **settings})
    through = [trial for trial in result.trials if not trial.resumable]
    return StudyResult(dataset, reports_of(dataset, through), result)


def totals_of(plan: Plan) -> TotalPlan:
    """A plan of increments as one of totals. Raises ConfigError for what is no plan."""
    return TotalPlan.from_increments(plan)


def _refuse_random(dataset: TuneDataset) -> None:
    for trial in dataset.trials:
        if not trial.params.empty:
            raise ConfigError(
                f"the candidate {trial.params!r} leaves something to choose, and an iterative objective has no local "
                f"optimizer: sample the space first, space.sample(16)"
            )
