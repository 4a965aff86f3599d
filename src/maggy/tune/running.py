"""From the front door to `lagom` and back: candidates become trials, and trials become reports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from maggy.config import HyperparameterOptConfig
from maggy.context.checkpoint import load_checkpoint
from maggy.context.metric import as_outputs
from maggy.engine.base import Engine
from maggy.errors import EarlyStopException, MetricValueError
from maggy.experiment import lagom
from maggy.optimizer import Optimizer
from maggy.result import Result
from maggy.searchspace import Searchspace
from maggy.tracking.tracker import Tracker
from maggy.trial import Trial as LagomTrial
from maggy.tune.dataset import TuneDataset
from maggy.tune.errors import TuneInterrupted
from maggy.tune.iterative import IterativeObjectiveFunc
from maggy.tune.local_optimizer import NonIterativeObjectiveLocalOptimizer, evaluate
from maggy.tune.objective import NonIterativeObjectiveFunc
from maggy.tune.studies import CANDIDATE, Candidates, Studies
from maggy.tune.trial import Trial, TrialReport

Plan = Sequence[tuple[float, int]]
"""Rungs as pairs of what a rung adds to the budget, and how many go on from it."""

_SORT_METRIC = "Metric"
_TAKEN = {"hparams", "reporter"}  # what the training functions here ask for


def run(
    dataset: TuneDataset,
    train: Callable[..., Any],
    make: Callable[[], Optimizer],
    engine: str | Engine,
    *,
    how: object,
    name: str,
    trackers: Sequence[Tracker] = (),
    verbose: int = 1,
    resume: str | None = None,
    force: bool = False,
    **settings: Any,
) -> Result:
    """Try the candidates of a dataset.

    train     the training function, made by `once`, `rungs` or `continuous_rungs`
    make      makes the optimizer of one study
    how       by which plan or local optimizer; with another one an experiment is not resumed
    resume    folder of an experiment that was killed or interrupted, to go on with; see `lagom`
    force     resume although the objective has changed
    settings  further fields of `HyperparameterOptConfig`
    """
    shown = [_shown(dataset.keys, index, trial) for index, trial in enumerate(dataset.trials)]
    studies = Candidates([[shown[index] for index in study] for study in dataset.studies()])
    ids = hashlib.sha256("".join(trial.trial_id for trial in dataset.trials).encode()).hexdigest()[:12]
    about = f"{len(dataset.trials)} candidates in {len(studies.studies)} studies ({ids}) of {train.__name__}"
    config = HyperparameterOptConfig(
        num_trials=len(dataset.trials),
        optimizer=Studies(make, studies, about, how),
        searchspace=Searchspace(),
        optimization_key=_SORT_METRIC,
        direction="min",
        es_policy="none",
        **{"seed": 0, "name": name, **settings},
    )
    if resume is not None:
        config.experiment_dir = None
    return lagom(train, config, engine=engine, track=trackers, verbose=verbose, resume=resume, force=force)


def _shown(names: Sequence[str], index: int, trial: Trial) -> dict[str, Any]:
    """What journals and people see of a candidate: its number, by which workers know it, keys and parameters."""
    keys = {name: key if _is_plain(key) else str(key) for name, key in zip(names, trial.keys, strict=True)}
    seen = {CANDIDATE: index, **keys, **trial.params.describe()}
    for name in _TAKEN & seen.keys():
        seen[f"{name}_"] = seen.pop(name)
    return {**seen, CANDIDATE: index}


# --- on a worker


def once(
    dataset: TuneDataset,
    objective: NonIterativeObjectiveFunc,
    optimizer: NonIterativeObjectiveLocalOptimizer | None,
) -> Callable[..., Any]:
    """A training function that tries one candidate."""

    def train(hparams: dict[str, Any], reporter: Any) -> dict[str, Any]:
        trial = _candidate(dataset, hparams)
        report = reporter.interruptibly(lambda: evaluate(objective, trial, optimizer), TuneInterrupted)
        return _said(report, trial, reporter)

    return _named_after(objective, train)


def rungs(dataset: TuneDataset, objective: IterativeObjectiveFunc) -> Callable[..., Any]:
    """A training function that runs one rung, from the checkpoint of the rung before."""

    def train(hparams: dict[str, Any], budget: float, reporter: Any) -> dict[str, Any]:
        before = reporter.load_checkpoint()
        saved = _state_in(before)
        if saved.budget >= budget:  # a worker was lost when it had saved, and not yet returned
            return saved.said
        candidate = _candidate(dataset, hparams)
        newest: list[TrialReport] = []

        def judge(report: TrialReport) -> bool:
            newest[:] = [report]
            return False

        def save(folder: Path) -> None:
            _State(budget, saved.rungs + 1, _said(newest[0], candidate)).write(folder)
            reporter.save_checkpoint(str(folder), step=saved.rungs)

        report = objective.run(
            candidate,
            lambda _: budget - saved.budget,
            judge,
            begin=before,
            save=save,
            rung=saved.rungs,
        )
        return _said(report, candidate)

    return _named_after(objective, train)


def continuous_rungs(
    dataset: TuneDataset, objective: IterativeObjectiveFunc, plan: Plan, *, always_checkpoint: bool
) -> Callable[..., Any]:
    """A training function that runs rung after rung until it is stopped, or has run all."""

    def train(hparams: dict[str, Any], reporter: Any) -> dict[str, Any]:
        candidate = _candidate(dataset, hparams)
        newest: list[TrialReport] = []
        stopped = False
        before = reporter.load_checkpoint()  # of a worker that was lost
        saved = _state_in(before)
        if saved.over:
            return saved.said

        def judge(report: TrialReport) -> bool:
            nonlocal stopped
            newest[:] = [report]
            try:
                reporter.broadcast(report.sort_metric, step=report.rung + 1, wait=True)
            except EarlyStopException:
                stopped = True
                raise
            return report.rung + 1 < len(plan)

        def save(folder: Path) -> None:
            rungs = newest[0].rung + 1
            spent = sum(budget for budget, _ in plan[:rungs])
            _State(spent, rungs, _said(newest[0], candidate), over=stopped or rungs == len(plan)).write(folder)
            reporter.save_checkpoint(str(folder), step=rungs)

        try:
            report = objective.run(
                candidate,
                lambda rung: plan[rung][0],
                judge,
                begin=before,
                save=save,
                rung=saved.rungs,
                always_checkpoint=always_checkpoint,
            )
        except EarlyStopException as stop:
            if newest:
                stop.outputs = dict(_said(newest[0], candidate))
            raise
        return _said(report, candidate)

    return _named_after(objective, train)


@dataclass
class _State:
    """How far a candidate has come: lies in its checkpoint, beside what the objective has saved.

    budget  that it has spent
    rungs   how many it has run
    said    its report, as a training function returns it
    over    whether it goes no further
    """

    budget: float = 0.0
    rungs: int = 0
    said: dict[str, Any] = field(default_factory=dict)
    over: bool = False

    def write(self, folder: Path) -> None:
        (folder / _STATE).write_text(json.dumps(asdict(self)))


_STATE = "__RUNG__"


def _state_in(checkpoint: Any) -> _State:
    return _State() if checkpoint is None else _State(**json.loads((Path(checkpoint) / _STATE).read_text()))


def _named_after(objective: Any, train: Callable[..., Any]) -> Callable[..., Any]:
    train.__name__ = getattr(objective, "__name__", type(objective).__name__)
    return train


def _candidate(dataset: TuneDataset, hparams: Mapping[str, Any]) -> Trial:
    trial: Trial = dataset.trials[hparams[CANDIDATE]]
    return trial if dataset.tables is None else trial.with_dfs(dataset.tables.open(tuple(trial.keys)))


def _said(report: TrialReport, candidate: Trial, reporter: Any = None) -> dict[str, Any]:
    """A report as what a training function returns.

    candidate  what was tried; its own parameters are not said again, as they may be large
    reporter   puts metadata that no message can hold into a checkpoint; None for an objective whose checkpoints are its
               own: such values are kept as text, and what is too large is left out
    """
    if not isfinite(report.sort_metric):
        raise MetricValueError(f"the objective came to {report.sort_metric}, which is no result")
    said = {
        _SORT_METRIC: report.sort_metric,
        "metric": report.metric,
        "cost": report.cost,
        "rung": report.rung,
        "log_time": report.log_time.timestamp(),
        "params": None if report.params is candidate.params else report.params.simple_value,
        "metadata": _plain(report.metadata),
    }
    if not _is_plain(said["metadata"]):
        said["metadata"] = as_outputs(said["metadata"])  # loggers and monitors see this much
        if reporter is not None:
            reporter.save_checkpoint(report.metadata)
            said["saved"] = True
    return said


# --- on the driver


def report_of(dataset: TuneDataset, params: Mapping[str, Any], outputs: Mapping[str, Any]) -> TrialReport:
    """The report that a trial of these parameters returned."""
    metadata = outputs["metadata"]
    return TrialReport(
        dataset.trials[params[CANDIDATE]],
        outputs["metric"],
        params=outputs["params"],
        metadata=metadata if isinstance(metadata, Mapping) else None,
        cost=outputs["cost"],
        rung=outputs["rung"],
        sort_metric=outputs[_SORT_METRIC],
        log_time=datetime.fromtimestamp(outputs["log_time"], UTC).astimezone().replace(tzinfo=None),
    )


def reports_of(dataset: TuneDataset, trials: Iterable[LagomTrial]) -> list[TrialReport]:
    """The last report of every trial that has one, in order of their ends."""
    reports = []
    for trial in trials:
        if not trial.state.has_result or trial.metric_dict is None:
            continue
        report = report_of(dataset, trial.params, trial.metric_dict)
        if trial.metric_dict.get("saved") and trial.checkpoint is not None:
            report.metadata = load_checkpoint(trial.checkpoint)
        reports.append(report)
    return reports


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's own; anything else as it is."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "dtype") and hasattr(value, "tolist") else value


def _is_plain(value: Any) -> bool:
    """Whether a message holds it as it is."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    said = {"": value}
    return as_outputs(said) == said
