"""`lagom` on one of its engines, as a user in a terminal would call it, with the live progress going nowhere."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from contextlib import redirect_stderr
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.overhead import work

if TYPE_CHECKING:
    from maggy import Searchspace
    from maggy.engine.base import Engine

ENGINES = ("inline", "local", "spark", "dask", "ray")
REPORTS, JUDGED = 100_000, 300
PACKAGES = {"spark": ["pyspark"], "dask": ["distributed"], "ray": ["ray"]}


def nap(x: float) -> dict[str, float]:
    return {"Metric": x, **work.nap(x)}


def scheduled_nap(index: int, durations_s: list[float]) -> dict[str, float]:
    return {"Metric": index, **work.scheduled_nap(index, durations_s)}


def reporting(x: float, reporter: Any, calls: int, wait: bool = False) -> float:
    return work.us_per_report(partial(reporter.broadcast, wait=wait), calls)


class Terminal(io.StringIO):
    """Takes the live progress as a terminal would."""

    def isatty(self) -> bool:
        return True


class Lagom:
    """Searches of one process, on one engine."""

    def __init__(self, engine: str, folder: Path) -> None:
        self._engine, self._folder, self._searches = engine, folder, 0
        self.workers = 1 if engine == "inline" else work.WORKERS

    def search(
        self,
        function: Any,
        trials: int,
        optimizer: Any = "randomsearch",
        space: Searchspace | None = None,
        **options: Any,
    ) -> Any:
        from maggy import Searchspace, lagom
        from maggy.config import HyperparameterOptConfig

        self._searches += 1
        config = HyperparameterOptConfig(
            num_trials=trials,
            optimizer=optimizer,
            searchspace=space or Searchspace(x=("DOUBLE", [0.0, 1.0])),
            direction="min",
            num_workers=self.workers,
            seed=work.SEED,
            experiment_dir=self._folder / str(self._searches),
            **({"es_policy": "none"} | options),
        )
        with redirect_stderr(Terminal()):
            result = lagom(function, config, engine=self._on())
        if result["failed"]:
            raise RuntimeError(f"{result['failed']} trials failed:\n{result.failed_trials[0].traceback}")
        return result

    def _on(self) -> str | Engine:
        if self._engine != "spark":
            return self._engine
        from maggy.engine.spark import SparkEngine

        return SparkEngine(cores=self.workers)

    def start_s(self) -> float:
        called = time.time()
        return float(self.search(work.first_line, self.workers)["best_val"]) - called

    def noop(self, trials: int) -> dict[str, float]:
        from maggy.optimizer import RandomSearch

        ended_at: list[float] = []
        resident_mib: list[float] = []

        class Watched(RandomSearch):
            """Notes, in the driver's own thread, how the search goes."""

            def observe(self, report: Any) -> None:
                ended_at.append(time.perf_counter())
                if len(ended_at) in (trials // 10, trials):
                    resident_mib.append(work.resident_mib())

        self.search(work.nothing, trials, Watched())
        early, late = resident_mib
        return {
            "noop_per_s": (trials - 1) / (ended_at[-1] - ended_at[0]),
            "memory_kib_per_trial": (late - early) * 1024 / (trials - trials // 10),
        }

    def spans(self, function: Any, trials: int, **options: Any) -> list[dict[str, float]]:
        return [trial.metric_dict for trial in self.search(function, trials, **options).trials]

    def gaps(self, trials: int) -> dict[str, Any]:
        spans = self.spans(nap, trials)
        return {"gap_ms": work.gaps_ms(spans), "busy_pct": work.busy_pct(spans, self.workers)}

    def spread(self, trials: int) -> dict[str, float]:
        from maggy import Searchspace

        durations_s = work.log_normal_durations_s(trials)
        space = Searchspace(index=("DISCRETE", list(range(trials))))  # grid search hands them out in this order
        spans = self.spans(partial(scheduled_nap, durations_s=durations_s), trials, optimizer="gridsearch", space=space)
        return {
            "spread_wall_s": work.wall_s(spans),
            "spread_bound_s": work.list_schedule_s(durations_s, self.workers),
        }

    def reports(self) -> dict[str, float]:
        """Where nothing is judged; and where each step waits for the median rule, which has trials to compare with."""
        free = self.search(partial(reporting, calls=REPORTS), self.workers)
        waiting = partial(reporting, calls=JUDGED, wait=True)
        judged = self.search(waiting, 4 * self.workers, es_policy="median", es_min=1)
        return {"report_us": free["avg"], "judged_us": judged.trials[-1].final_metric}


def versions(engine: str) -> dict[str, str]:
    found = {}
    for package in ["maggy", *PACKAGES.get(engine, [])]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # the environment has this checkout on its path
            found[package] = "this checkout"
    return found


def main() -> None:
    asked = work.arguments(*ENGINES)
    begun = time.perf_counter()
    import maggy.config

    assert maggy.lagom
    import_s = time.perf_counter() - begun
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        ours = Lagom(asked.variant, Path(folder))
        figures: dict[str, Any] = {"import_s": import_s, "start_s": ours.start_s()}
        figures |= ours.noop(asked.noop)
        figures |= {"warm_start_s": ours.start_s(), **ours.gaps(asked.gap), **ours.spread(asked.spread)}
        figures["memory_mib"] = work.resident_mib()
        figures["memory_all_mib"] = figures["memory_mib"] + work.helpers_mib()
        figures |= ours.reports()  # a hundred thousand at once leave their mark on the driver's memory
    work.answer(**figures, versions=versions(asked.variant), notes="")


if __name__ == "__main__":
    sys.exit(main())
