"""Syne Tune on its local backend: `python -m benchmarks.faults.syne_tuner FOLDER`, of the process of a trial.

The backend starts an interpreter for each trial: this file, with the trial's arguments.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import time
from contextlib import redirect_stdout
from typing import Any

from benchmarks.faults.killer import Killer
from benchmarks.faults.work import WORKERS, aftermath, answer, attempts, train

TRIALS = 8  # each starts an interpreter, also when all is over


def main() -> None:
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.backend.trial_status import Status
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.baselines import RandomSearch
    from syne_tune.tuner_callback import TunerCallback

    folder = sys.argv[1]
    os.environ["SYNETUNE_FOLDER"] = folder
    logging.disable(logging.CRITICAL)
    noticed_at: list[float] = []
    completed: set[int] = set()

    class Watch(TunerCallback):  # type: ignore[misc]
        def on_trial_complete(self, trial: Any, result: dict[str, Any]) -> None:
            completed.add(int(result["number"]))

        def on_fetch_status_results(self, trial_status_dict: Any, new_results: Any) -> None:
            if not noticed_at and any(status == Status.failed for _, status in trial_status_dict.values()):
                noticed_at.append(time.time())

    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=__file__, rotate_gpus=False),
        scheduler=RandomSearch({"x": uniform(0.0, 1.0), "folder": folder}, metrics=["loss"], random_seed=1),
        stop_criterion=StoppingCriterion(max_num_trials_started=TRIALS),
        n_workers=WORKERS,
        sleep_time=0.05,
        max_failures=3,
        wait_trial_completion_when_stopping=True,
        save_tuner=False,
        callbacks=[Watch()],
    )
    killer = Killer(folder, 1, until="rerun", patience_s=20.0)
    killer.start()
    with redirect_stdout(io.StringIO()):
        tuner.run()
    ran = attempts(folder)
    answer(kills=aftermath(killer.kills, ran, noticed_at), lost=len({each.trial for each in ran} - completed))


def trial() -> None:
    """A trial, in its own interpreter."""
    from syne_tune import Reporter

    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=float, required=True)
    parser.add_argument("--folder", required=True)
    told, _ = parser.parse_known_args()
    number = int(told.x * 1e9)
    Reporter()(loss=train(told.folder, number), number=number)


if __name__ == "__main__":
    trial() if "--folder" in sys.argv else main()
