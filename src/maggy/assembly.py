"""From what the user says to the objects that do it: names become engines, configs become policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from maggy.brain.events import DriverStarted
from maggy.config import AblationConfig, GangConfig, HyperparameterOptConfig, LagomConfig
from maggy.context.data.kinds import is_a
from maggy.driver import Advisor
from maggy.earlystop import NoStoppingRule
from maggy.earlystop import resolve as resolve_rule
from maggy.engine.base import Engine
from maggy.errors import ConfigError, UnknownNameError
from maggy.optimizer import Draws, Optimizer, SingleRun
from maggy.optimizer import resolve as resolve_optimizer
from maggy.searchspace import Searchspace, Space
from maggy.trial import Objective

if TYPE_CHECKING:
    from distributed import Client
    from pyspark.sql import SparkSession

_ENGINES = ("local", "spark", "dask", "ray", "inline")


def space_of(config: LagomConfig) -> Space:
    """What can be chosen; nothing in a single run."""
    space = config.searchspace if isinstance(config, HyperparameterOptConfig) else None
    return Searchspace() if space is None else space


def objectives_of(config: LagomConfig) -> tuple[Objective, ...]:
    """What is optimised; of a single run there is nothing to compare."""
    if isinstance(config, HyperparameterOptConfig):
        return config.objectives
    return (Objective(getattr(config, "optimization_key", "Metric"), getattr(config, "direction", "max")),)


def make_advisor(
    config: LagomConfig,
    seed: int,
    warn: Callable[[str], None],
    *,
    takes_budget: bool,
    takes_seed: bool = False,
    make_draws: Callable[..., Draws] = Draws,
) -> Advisor:
    """The policies of an experiment.

    takes_budget  whether the training function asks for a `budget`
    takes_seed    whether it asks for a `seed`
    make_draws    makes what draws the fresh configurations

    Raises ConfigError or UnknownNameError where they cannot work.
    """
    optimizer: Optimizer = SingleRun()
    num_trials = 1
    if isinstance(config, HyperparameterOptConfig):
        optimizer, num_trials = resolve_optimizer(config.optimizer), int(config.num_trials)
    elif isinstance(config, AblationConfig):
        from maggy.ablating import plan  # loads what only a study needs

        optimizer = plan(config, seed, takes_seed=takes_seed)
    stops = config if isinstance(config, HyperparameterOptConfig | AblationConfig) else None
    return Advisor(
        optimizer,
        NoStoppingRule() if stops is None else resolve_rule(stops.es_policy),
        space=space_of(config),
        num_trials=num_trials,
        objectives=objectives_of(config),
        seed=seed,
        es_min=0 if stops is None else stops.es_min,
        es_interval=1 if stops is None else int(stops.es_interval),
        takes_budget=takes_budget,
        make_draws=make_draws,
        warn=warn,
    )


def seats_for(config: LagomConfig, engine: Engine) -> int:
    """How many workers an engine is to start.

    Raises ConfigError where nobody has said it and nobody can know; EngineError where not one fits.
    """
    slots = engine.slots(dict(config.resources_per_worker or {}))
    if engine.in_calling_thread:
        return 1
    seats = config.num_workers or slots
    if seats is None:
        raise ConfigError(f"say how many workers there are to be (num_workers): {engine.describe()}")
    return seats


def gang_size(config: LagomConfig, seats: int) -> int:
    """How many workers run a trial together, of so many that there are.

    Raises ConfigError where there are too few.
    """
    if not isinstance(config, GangConfig):
        return 1
    size = int(config.workers_per_trial if config.gang_is_constant else config.num_workers or seats)
    if size > seats:
        what = "workers_per_trial" if config.gang_is_constant else "num_workers"
        raise ConfigError(
            f"a trial needs {size} workers ({what}), and there can be {seats} here: give the engine more slots, each "
            f"worker less (resources_per_worker), or say num_workers, if they are to share what there is"
        )
    return size


def driver_started(
    config: LagomConfig, advisor: Advisor, *, epoch: int, workers_per_trial: int = 1, fresh: bool = False
) -> DriverStarted:
    """The first event of a driver.

    fresh  whether each trial needs worker processes of its own
    """
    least = getattr(config, "min_workers", None)
    return DriverStarted(
        epoch=epoch,
        num_trials=advisor.num_trials,
        lost_limit=int(config.lost_limit),
        error_limit=int(config.error_limit),
        preempted_limit=int(config.preempted_limit),
        promotes=advisor.promotes,
        workers_per_trial=workers_per_trial,
        min_workers=workers_per_trial if least is None else int(least),
        fresh=fresh,
    )


def find_engine(engine: str | Engine | SparkSession | Client | None) -> Engine:
    """The engine that is meant: by its name, by a session or client, or None for Spark where a session is active, else
    this machine.

    Raises UnknownNameError.
    """
    if isinstance(engine, Engine):
        return engine
    if engine is None:
        from maggy.engine.spark_cluster import spark_is_active

        engine = "spark" if spark_is_active() else "local"
    found = _engine_named(engine.lower()) if isinstance(engine, str) else _engine_of(engine)
    if found is None:
        raise UnknownNameError("engine", engine, _ENGINES)
    return found


def _engine_named(name: str) -> Engine | None:
    match name:
        case "local":
            from maggy.engine.local import LocalEngine

            return LocalEngine()
        case "inline":
            from maggy.engine.inline import InlineEngine

            return InlineEngine()
        case "spark":
            from maggy.engine.spark import SparkEngine

            return SparkEngine()
        case "dask":
            from maggy.engine.dask import DaskEngine

            return DaskEngine()
        case "ray":
            from maggy.engine.ray import RayEngine

            return RayEngine()
    return None


def _engine_of(handle: Any) -> Engine | None:
    """The engine on a Spark session or a Dask client. Imports neither of them."""
    if is_a(handle, "pyspark", "SparkSession"):
        from maggy.engine.spark import SparkEngine

        return SparkEngine(handle)
    if is_a(handle, "distributed", "Client"):
        from maggy.engine.dask import DaskEngine

        return DaskEngine(handle)
    return None
