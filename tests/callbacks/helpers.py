"""A search in which the second trial is stopped, whatever trains in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from maggy import Result, Searchspace, Trial, lagom
from maggy.config import HyperparameterOptConfig
from maggy.earlystop import AbstractEarlyStop
from maggy.journal import ExperimentFolder, read
from maggy.trial import TrialState

LONG = 5_000
"""So many steps that a stop comes long before the last of them."""


class StopAtThree(AbstractEarlyStop):
    """Stops every trial but the first once it has reported three points."""

    @staticmethod
    def earlystop_check(to_check: Any, finalized_trials: Any, direction: str) -> Any:
        return to_check.trial_id if len(to_check.metric_history) >= 3 else None


def table(rows: int = 64, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Features, and a label that depends on them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64")


def search_with_a_stop(train: Callable[..., Any], engine: str = "inline") -> tuple[Trial, Trial, Result]:
    """Run a trial of 2 steps and one of `LONG` steps, which is stopped; both trials, and the result."""
    config = HyperparameterOptConfig(
        num_trials=2,
        optimizer="gridsearch",
        searchspace=Searchspace(length=("DISCRETE", [2, LONG])),
        direction="min",
        es_policy=StopAtThree(),
        es_min=0,
        num_workers=1,
        name="callbacks",
    )
    result = lagom(train, config, engine=engine, verbose=0)
    finished, stopped = sorted(result.trials, key=lambda trial: trial.params["length"])
    for trial in (finished, stopped):
        assert trial.error is None, trial.traceback
    assert (finished.state, finished.num_points) == (TrialState.FINISHED, 2)
    assert stopped.state is TrialState.STOPPED and stopped.early_stop
    assert 3 <= stopped.num_points < LONG
    assert result["early_stopped"] == 1
    return finished, stopped, result


def points(result: Result, trial: Trial) -> list[tuple[int, float]]:
    """Everything that a trial has reported."""
    events = [record.event for record in read(ExperimentFolder.open(result.experiment_dir))]
    mine = [e for e in events if type(e).__name__ == "MetricsReported" and e.trial == trial.trial_id]
    return [point for report in mine for point in zip(report.steps, report.values, strict=True)]


def log(result: Result, trial: Trial) -> list[str]:
    """The lines of a trial's log, without Maggy's own."""
    file = Path(result.experiment_dir, f"trials/{trial.trial_id}/output.log")
    return [line for line in file.read_text().splitlines() if not line.startswith("[maggy")]
