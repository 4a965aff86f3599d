"""`lagom`: the only door."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from maggy.assembly import find_engine
from maggy.compat import changed_config, config_from_keywords
from maggy.conducting import Experiment
from maggy.config import LagomConfig
from maggy.engine.base import Engine
from maggy.errors import ConfigError
from maggy.handle import Run
from maggy.provenance import OF_THE_CODE, WITH_SOURCES
from maggy.result import Result
from maggy.resuming import Begun
from maggy.searchspace import Space
from maggy.tracking.names import to_trackers
from maggy.tracking.standing import Standing
from maggy.tracking.tracker import Tracker

if TYPE_CHECKING:
    from distributed import Client
    from pyspark.sql import SparkSession

# `maggy.experiment.experiment.lagom` is where Maggy 1.1 had it.
sys.modules[f"{__name__}.experiment"] = sys.modules[__name__]
experiment = sys.modules[__name__]


@overload
def lagom(
    train_fn: Callable[..., Any] | None = ..., config: Any = ..., *, block: Literal[True] = ..., **keywords: Any
) -> Result: ...


@overload
def lagom(
    train_fn: Callable[..., Any] | None = ..., config: Any = ..., *, block: Literal[False], **keywords: Any
) -> Run: ...


def lagom(
    train_fn: Callable[..., Any] | None = None,
    config: LagomConfig | Space | str | None = None,
    *,
    engine: str | Engine | SparkSession | Client | None = None,
    resume: str | os.PathLike[str] | None = None,
    force: bool = False,
    track: str | Tracker | Sequence[str | Tracker] | None = None,
    block: bool = True,
    verbose: int = 1,
    map_fun: Callable[..., Any] | None = None,
    **keywords: Any,
) -> Result | Run:
    """Run the training function: once, or as many asynchronous trials; on this machine or on a cluster.

    train_fn  the training function. Its arguments are filled by name: any hyperparameter, `hparams` (all of them as
              a dict), `reporter`, `seed`, and `model`, `dataset`, `train_set`, `test_set` where the config has them;
              `model_function` is another name of the model, `dataset_function` makes the dataset. It returns a number,
              or a dict that holds the config's `optimization_key`
    config    what to run: `BaseConfig` (a single run, also without a config), `HyperparameterOptConfig` or
              `AblationConfig`
    engine    "local" (processes on this machine), "spark", "dask", "ray", "inline" (this thread: for a debugger), a
              SparkSession, a Dask client, or an Engine; None: Spark where a session is active, else local
    resume    folder of an experiment that was killed or interrupted: it goes on where its journal ends, and no trial
              that has ended runs again. `train_fn` and `config` may be left out: it was begun with them. Keywords in
              place of a config change it, e.g. `lagom(resume=path, force=True, num_trials=50)`
    force     resume although the function, the search space or the config has changed
    track     who is told of every event as it happens: "tensorboard", "mlflow" or "mlflow:EXPERIMENT", "wandb" or
              "wandb:PROJECT", a `Tracker`, or a list of these
    block     False: return a `Run` at once, and work in the background: `run.status()`, `run.stop()`, `run.result()`
    verbose   0: say nothing; 1: progress and a summary; 2: also what trials log and print, as it comes
    map_fun, **keywords  the flat form of the versions before 1.0, e.g.
              `lagom(map_fun=f, searchspace=sp, optimizer="randomsearch", direction="max", num_trials=15, name="MNIST")`

    Returns a `Result`. Ctrl-C ends the experiment and returns what has finished; a second one raises. `resume` goes on
    from there too.

    Raises ConfigError, SignatureError, FunctionNotPicklableError, FunctionTooLargeError, ExperimentDirError or
    ResumeError before anything starts; NoWorkersError or EngineError if no worker can be had; ExperimentFailedError
    if the first few trials all fail in the same way. One failed trial is only recorded.
    """
    function = train_fn if map_fun is None else map_fun
    if (train_fn is not None and map_fun is not None) or (function is None and resume is None):
        raise ConfigError("lagom needs one training function: lagom(train_fn, config)")
    trackers = to_trackers(track)
    if resume is None:
        if force:
            raise ConfigError("force=True goes with resume=: lagom(train_fn, config, resume=path, force=True)")
        settings = config_from_keywords(config, keywords)
        return _begun(Experiment(function, settings, find_engine(engine), verbose, trackers=trackers), block)
    begun = Begun.read(resume)
    unchanged: set[str] = set()
    if function is None or config is None:
        recipe = begun.recipe()
        engine = recipe.engine if engine is None else engine
        if function is None:
            function = recipe.function
            unchanged |= OF_THE_CODE
        if config is None:
            config = changed_config(recipe.thaw(), {"experiment_dir": None, **keywords})  # it may have moved
            unchanged |= set() if keywords else {"kind", "config"}
            unchanged |= {"policies"} if keywords.keys().isdisjoint(WITH_SOURCES) else set()
            keywords = {}
    settings = config_from_keywords(config, keywords)
    experiment = Experiment(
        function, settings, find_engine(engine), verbose, begun, unchanged, force=force, trackers=trackers
    )
    return _begun(experiment, block)


def run_described(
    function: Callable[..., Any],
    config: LagomConfig,
    engine: Engine,
    known: Mapping[str, Any],
    verbose: int = 1,
    track: str | Tracker | Sequence[str | Tracker] | None = None,
) -> Result:
    """Run what is known better than by looking: parts of its description that another experiment has told."""
    return Experiment(function, config, engine, verbose, trackers=to_trackers(track), known=known).run()


def _begun(experiment: Experiment, block: bool) -> Result | Run:
    if block:
        return experiment.run()
    standing = Standing()
    experiment.trackers.append(standing)
    return Run(experiment, standing)


def launch(*args: Any, **keywords: Any) -> Any:
    """`lagom` under its name in Maggy 0.1."""
    return lagom(*args, **keywords)
