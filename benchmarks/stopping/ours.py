"""Ours: `python -m benchmarks.stopping.ours FOLDER TRIALS TRIALS ENGINE`, the trials of 20 ms and of 100 ms steps."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.stopping.work import STEPS_S, STOP_AT, WORKERS, answer, train
from maggy import Searchspace, lagom
from maggy.brain.events import Judged
from maggy.config import HyperparameterOptConfig
from maggy.earlystop import StoppingRule, Verdict
from maggy.errors import EarlyStopException
from maggy.journal import ExperimentFolder, read


class StopThere(StoppingRule):
    """Stops every trial at one step, and those that nobody judged at that step not at all."""

    def judge(self, curve: Any, finished: Any) -> Verdict:
        return Verdict(stop=curve.steps[-1] == STOP_AT)


def trial(x: float, reporter: Any, step_s: float) -> dict[str, float]:
    return {"Metric": x, **train(step_s, lambda step: reporter.broadcast(x, step), EarlyStopException)}


def search(engine: str, step_s: float, trials: int, folder: Path) -> list[dict[str, Any]]:
    """What the trials say that were stopped; the first ones are not judged, because nothing has finished yet."""
    config = HyperparameterOptConfig(
        num_trials=trials + WORKERS,
        optimizer="randomsearch",
        searchspace=Searchspace(x=("DOUBLE", [0.0, 1.0])),
        es_policy=StopThere(),
        es_min=0,
        num_workers=WORKERS,
        seed=1,
        experiment_dir=folder / f"{engine}-{step_s}",
    )
    result = lagom(partial(trial, step_s=step_s), config, engine=engine, verbose=0)
    decided_at = {
        record.event.trial: record.t
        for record in read(ExperimentFolder.open(result.experiment_dir))
        if isinstance(record.event, Judged) and record.event.stop
    }
    told = {trial.trial_id: dict(trial.metric_dict or {}) for trial in result.trials}
    return [
        {**each, "decided_s": each["left_at"] - decided_at[number]}
        for number, each in told.items()
        if "left_at" in each
    ]


def main() -> None:
    folder, *trials, engine = sys.argv[1:]
    answer(
        {
            step_s: search(engine, step_s, int(number), Path(folder))
            for step_s, number in zip(STEPS_S, trials, strict=True)
        }
    )


if __name__ == "__main__":
    main()
