"""Ray Tune: `Tuner.fit` of a function, two at a time, on a cluster of two cores in this machine.

Ray's documentation recommends to reuse actors where they start and stop often, and that is the first variant; the
other is what one gets who asks for nothing. Both go without dashboard, loggers and output. The first search starts the
cluster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.overhead import work
from benchmarks.overhead.peers import trials
from benchmarks.overhead.peers.measure import measure, scratch, tell

NOTES = {
    "reuse": "an actor goes on with the next trial",
    "default": "an actor for each trial",
}
STORE_BYTES = 100 * 2**20
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}


def main() -> None:
    asked = work.arguments(*NOTES)
    os.environ |= QUIET
    began = time.perf_counter()
    import ray
    from ray import tune  # noqa: F401

    import_s = time.perf_counter() - began
    with scratch("r-", "/tmp") as folder:  # its sockets lie there, and a socket's path has to be short
        fit = partial(search, folder=folder, reuse=asked.variant == "reuse")
        try:
            lasting = asked.variant == "reuse"
            figures = measure(fit, asked, folder, reporting=fit, judging=fit if lasting else None, lasting=lasting)
        finally:
            ray.shutdown()
    tell(figures, import_s=import_s, packages=["ray"], notes=NOTES[asked.variant])


def search(objective: Any, number: int, folder: str, reuse: bool) -> float:
    import ray
    from ray import tune

    if not ray.is_initialized():
        ray.init(
            num_cpus=work.WORKERS,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=folder,
        )
    ended = [0.0]

    class Watch(tune.Callback):  # type: ignore[misc]
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            ended[0] = time.perf_counter()

    tuner = tune.Tuner(
        trainable(objective),
        param_space={"x": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            num_samples=number,
            max_concurrent_trials=work.WORKERS,
            reuse_actors=reuse,
            scheduler=scheduler(objective),
            search_alg=tune.search.BasicVariantGenerator(random_state=work.SEED, max_concurrent=work.WORKERS),
        ),
        run_config=tune.RunConfig(storage_path=f"{folder}/results", verbose=0, callbacks=[Watch()]),
    )
    if tuner.fit().num_errors:
        raise RuntimeError("a trial failed")
    return ended[0]


def trainable(objective: Any) -> Callable[[dict[str, float]], dict[str, float]]:
    """The objective as Ray Tune calls it."""
    from ray import tune

    def train(config: dict[str, float]) -> dict[str, float]:
        if objective.func is trials.reports:
            return {"loss": objective(config["x"], report=lambda metric, step: tune.report({"loss": metric}))}
        return {"loss": objective(config["x"])}

    return train


def scheduler(objective: Any) -> Any:
    """The median rule, from the second trial on, where steps are judged."""
    from ray.tune.schedulers import FIFOScheduler, MedianStoppingRule

    judged = objective.keywords.get("judged")
    return MedianStoppingRule(grace_period=1, min_samples_required=1) if judged else FIFOScheduler()


if __name__ == "__main__":
    main()
