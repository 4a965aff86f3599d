"""Ray Tune, actors reused: `python -m benchmarks.stopping.ray_tune FOLDER TRIALS TRIALS`.

A report of a function waits until the scheduler has decided, and ends a stopped trial with SystemExit.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from benchmarks.stopping.work import STEPS_S, STOP_AT, WORKERS, answer, keep, kept, train


class StopThere(FIFOScheduler):
    """Stops every trial at one step."""

    def __init__(self) -> None:
        super().__init__()
        self.decided_at: dict[str, float] = {}

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if result["training_iteration"] < STOP_AT:
            return str(TrialScheduler.CONTINUE)
        self.decided_at[trial.trial_id] = time.time()
        return str(TrialScheduler.STOP)


def trial(config: dict[str, float], step_s: float, folder: str) -> None:
    number = tune.get_context().get_trial_id()
    keep(folder, number, train(step_s, lambda step: tune.report({"loss": config["x"]}), SystemExit))
    sys.exit(0)  # what the stop that was caught would have done


def search(step_s: float, trials: int, folder: str) -> list[dict[str, Any]]:
    told_in = Path(folder, f"told-{step_s}")
    told_in.mkdir()
    scheduler = StopThere()
    tune.Tuner(
        partial(trial, step_s=step_s, folder=str(told_in)),
        param_space={"x": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(num_samples=trials, scheduler=scheduler, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    ).fit()
    return [
        {**told, "decided_s": told["left_at"] - scheduler.decided_at[told["trial"]]}
        for told in kept(told_in)
        if "left_at" in told
    ]


def main() -> None:
    folder, *trials = sys.argv[1:]
    ray.init(
        address="local",
        num_cpus=WORKERS,
        include_dashboard=False,
        object_store_memory=100 << 20,
        logging_level="ERROR",
        log_to_driver=False,
    )
    try:
        told = {step_s: search(step_s, int(number), folder) for step_s, number in zip(STEPS_S, trials, strict=True)}
    finally:
        ray.shutdown()
    answer(told)


if __name__ == "__main__":
    main()
