"""Who is killed, and where that runs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.harness.settings import Settings, run_json


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A module of this package with its arguments, and the environment that it runs in.

    short  whether `make bench` has it too
    kills  whether it is told how often to kill; else once for each process
    beside whether it sleeps for minutes, and so runs beside the others
    note   what to know about its row
    """

    side: Literal["ours", "peer", "aside"]
    group: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: str = "maggy"
    short: bool = False
    kills: bool = True
    beside: bool = False
    timeout_s: float = 200.0
    note: str = ""

    def run(self, settings: Settings, kills: int) -> Mapping[str, Any]:
        """What it has measured, in a fresh process and an empty folder.

        Raises RuntimeError if it fails.
        """
        arguments = (*([str(kills)] if self.kills else []), *self.arguments)
        with tempfile.TemporaryDirectory(dir=settings.folder, ignore_cleanup_errors=True) as folder:
            found: Mapping[str, Any] = run_json(
                self.environment, f"benchmarks.faults.{self.module}", folder, *arguments, timeout_s=self.timeout_s
            )
        return found


WORKERS = {
    "Maggy, local: worker process": Contestant(
        side="ours", group="processes", module="ours", arguments=("local", "worker"), short=True
    ),
    "Optuna, SQLite, heartbeat 1 s: one of two processes": Contestant(
        side="peer",
        group="processes",
        module="optuna_sqlite",
        arguments=("1",),
        environment="optuna",
        short=True,
        kills=False,
        note="nobody starts the process again: never at full strength",
    ),
    "Optuna, SQLite, heartbeat 60 s: one of two processes": Contestant(
        side="peer",
        group="processes",
        module="optuna_sqlite",
        arguments=("60",),
        environment="optuna",
        kills=False,
        beside=True,
        timeout_s=300.0,
        note="the settings of its documentation; nobody starts the process again: never at full strength",
    ),
    "Syne Tune, local: trial's process": Contestant(
        side="peer",
        group="processes",
        module="syne_tuner",
        environment="syne-tune",
        kills=False,
        note="the trial has failed, and is not run again",
    ),
    "process pool: one of two processes": Contestant(
        side="aside",
        group="processes",
        module="pool",
        short=True,
        kills=False,
        note="`BrokenProcessPool` for every trial that has not ended",
    ),
    "Maggy, Spark: worker process": Contestant(
        side="ours", group="Spark", module="ours", arguments=("spark", "worker"), short=True
    ),
    "Maggy, Spark: Python task": Contestant(side="ours", group="Spark", module="ours", arguments=("spark", "holder")),
    "Spark stages: Python task": Contestant(side="peer", group="Spark", module="spark_stages", arguments=("task",)),
    "Hyperopt, SparkTrials: Python task": Contestant(
        side="peer", group="Spark", module="spark_trials", environment="spark-trials"
    ),
    "Maggy, Spark: executor": Contestant(
        side="ours", group="Spark, executors", module="ours", arguments=("local-cluster", "executor")
    ),
    "Spark stages: executor": Contestant(
        side="peer", group="Spark, executors", module="spark_stages", arguments=("executor",)
    ),
    "Maggy, Dask: Dask worker": Contestant(
        side="ours", group="Dask", module="ours", arguments=("dask", "holder"), environment="engines"
    ),
    "Maggy, Ray: Ray worker": Contestant(
        side="ours", group="Ray", module="ours", arguments=("ray", "holder"), environment="engines"
    ),
    "Ray Tune, actors reused: trial's actor": Contestant(
        side="peer", group="Ray", module="ray_tune", environment="ray-tune", note="`max_failures=3`"
    ),
}

DRIVERS = {
    "Maggy, local": Contestant(
        side="ours", group="processes", module="ours_driver", arguments=("local",), kills=False, short=True
    ),
    "Maggy, Spark": Contestant(side="ours", group="Spark", module="ours_driver", arguments=("spark",), kills=False),
    "Maggy, Dask": Contestant(
        side="ours", group="Dask", module="ours_driver", arguments=("dask",), environment="engines", kills=False
    ),
    "Maggy, Ray": Contestant(
        side="ours", group="Ray", module="ours_driver", arguments=("ray",), environment="engines", kills=False
    ),
    "Ray Tune": Contestant(
        side="peer", group="Ray", module="ray_tune_driver", environment="ray-tune", kills=False, note="`Tuner.restore`"
    ),
    "Optuna, SQLite, heartbeat 1 s": Contestant(
        side="peer",
        group="processes",
        module="optuna_driver",
        arguments=("1",),
        environment="optuna",
        kills=False,
        short=True,
        note="two threads; what ran is found dead after its heartbeats, and then run again",
    ),
}
