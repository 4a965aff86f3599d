"""Who is measured, where, and with how many trials: as many as each gets done in some fifteen seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IN_PROCESS, PROCESSES, SPARK, DASK, RAY = "one process", "processes", "Spark", "Dask", "Ray"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """See `Row` for `side` and `group`.

    module, variant    what is run, in `benchmarks.overhead`, see there
    noop, gap, spread  numbers of trials
    """

    name: str
    side: Literal["ours", "peer", "aside"]
    group: str
    environment: str
    module: str
    variant: str = ""
    noop: int = 5000
    gap: int = 100
    spread: int = 30

    @property
    def arguments(self) -> list[object]:
        """Of the command line."""
        return [*filter(None, [self.variant]), "--noop", self.noop, "--gap", self.gap, "--spread", self.spread]


def _ours(engine: str, group: str, environment: str = "maggy", gap: int = 100) -> Contestant:
    return Contestant(
        name=f"Maggy, {engine}",
        side="ours",
        group=group,
        environment=environment,
        module="ours.lagom",
        variant=engine.lower(),
        gap=gap,
    )


CONTESTANTS = [
    _ours("inline", IN_PROCESS, gap=60),
    Contestant(
        name="Optuna, one thread",
        side="aside",
        group=IN_PROCESS,
        environment="optuna",
        module="peers.optuna_study",
        variant="process",
        gap=60,
    ),
    Contestant(
        name="Fugue-Tune, native",
        side="aside",
        group=IN_PROCESS,
        environment="fugue-tune",
        module="peers.fugue_tuner",
        variant="native",
        noop=1000,
        gap=60,
    ),
    _ours("local", PROCESSES),
    Contestant(
        name="Optuna, journal file",
        side="peer",
        group=PROCESSES,
        environment="optuna",
        module="peers.optuna_study",
        variant="journal",
        noop=1000,
    ),
    Contestant(
        name="Optuna, SQLite",
        side="peer",
        group=PROCESSES,
        environment="optuna",
        module="peers.optuna_study",
        variant="sqlite",
        noop=100,
        gap=40,
    ),
    Contestant(
        name="Syne Tune",
        side="peer",
        group=PROCESSES,
        environment="syne-tune",
        module="peers.syne_tuner",
        noop=10,
        gap=10,
        spread=10,
    ),
    Contestant(
        name="process pool",
        side="aside",
        group=PROCESSES,
        environment="maggy",
        module="floors.pool",
        variant="spawn",
    ),
    Contestant(
        name="joblib, loky",
        side="aside",
        group=PROCESSES,
        environment="maggy",
        module="floors.pool",
        variant="loky",
    ),
    _ours("Spark", SPARK),
    Contestant(
        name="Spark, a job for each batch",
        side="peer",
        group=SPARK,
        environment="maggy",
        module="floors.stages",
        variant="batches",
        noop=50,
        gap=60,
    ),
    Contestant(
        name="Spark, one stage of all",
        side="peer",
        group=SPARK,
        environment="maggy",
        module="floors.stages",
        variant="stage",
        noop=100,
    ),
    Contestant(
        name="Hyperopt SparkTrials",
        side="peer",
        group=SPARK,
        environment="spark-trials",
        module="peers.spark_trials",
        noop=6,
        gap=6,
        spread=6,
    ),
    Contestant(
        name="Fugue-Tune, Spark",
        side="peer",
        group=SPARK,
        environment="fugue-tune",
        module="peers.fugue_tuner",
        variant="spark",
        noop=10,
        gap=10,
        spread=10,
    ),
    _ours("Dask", DASK, environment="engines"),
    _ours("Ray", RAY, environment="engines"),
    Contestant(
        name="Ray Tune, actors reused",
        side="peer",
        group=RAY,
        environment="ray-tune",
        module="peers.ray_tuner",
        variant="reuse",
        noop=200,
        gap=60,
    ),
    Contestant(
        name="Ray Tune, default",
        side="peer",
        group=RAY,
        environment="ray-tune",
        module="peers.ray_tuner",
        variant="default",
        noop=6,
        gap=6,
        spread=6,
    ),
]
