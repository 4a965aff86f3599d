"""`lagom`: the only door. It chooses the concrete classes, the only place that does."""

from __future__ import annotations

import secrets
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any

from maggy import context
from maggy.brain import Brain, Rules
from maggy.compat import config_from_keywords
from maggy.config import FIXED_ARGUMENTS, BaseConfig, HyperparameterOptConfig, LagomConfig
from maggy.driver import Advisor, Driver, Janitor, Keeper, Logs
from maggy.earlystop import NoStoppingRule
from maggy.earlystop import resolve as resolve_rule
from maggy.engine.base import Engine
from maggy.errors import ConfigError, UnknownNameError
from maggy.journal import ExperimentFolder, JournalWriter, Record
from maggy.journal.folder import to_json
from maggy.journal.writer import SYNC_S, UPLOAD_S
from maggy.launching import run_workers
from maggy.optimizer import SingleRun
from maggy.optimizer import resolve as resolve_optimizer
from maggy.provenance import describe
from maggy.result import Result
from maggy.searchspace import Searchspace
from maggy.tracking.progress import Progress
from maggy.tracking.summary import summary
from maggy.tracking.tally import Tally
from maggy.wire.opening import open_channel

# `maggy.experiment.experiment.lagom` is where Maggy 1.1 had it.
sys.modules[f"{__name__}.experiment"] = sys.modules[__name__]
experiment = sys.modules[__name__]

_ENGINES = ("local", "spark", "inline")
_PATIENCE_BEATS, _LEAST_PATIENCE_S = 10, 30.0


def lagom(
    train_fn: Callable[..., Any] | None = None,
    config: LagomConfig | Searchspace | str | None = None,
    *,
    engine: str | Engine | None = None,
    verbose: int = 1,
    map_fun: Callable[..., Any] | None = None,
    **keywords: Any,
) -> Result:
    """Run the training function: once, or as many asynchronous trials; on this machine or on a cluster.

    train_fn  the training function. Its arguments are filled by name: any hyperparameter, `hparams` (all of them as
              a dict), `reporter`, and `model`, `dataset`, `train_set`, `test_set` where the config has them. It
              returns a number, or a dict that holds the config's `optimization_key`
    config    what to run: `BaseConfig` (a single run, also without a config) or `HyperparameterOptConfig`
    engine    "local" (processes on this machine), "spark", "inline" (this thread: for a debugger), or an Engine;
              None: Spark where a session is active, else local
    verbose   0: say nothing; 1: progress and a summary; 2: also what trials log and print, as it comes
    map_fun, **keywords  the flat form of the versions before 1.0, e.g.
              `lagom(map_fun=f, searchspace=sp, optimizer="randomsearch", direction="max", num_trials=15, name="MNIST")`

    Returns a `Result`. Ctrl-C ends the experiment and returns what has finished; a second one raises.

    Raises ConfigError, SignatureError, FunctionNotPicklableError, FunctionTooLargeError or ExperimentDirError before
    anything starts; NoWorkersError or EngineError if no worker can be had; ExperimentFailedError if the first few
    trials all fail in the same way. One failed trial is only recorded.
    """
    function = train_fn if map_fun is None else map_fun
    if function is None or (train_fn is not None and map_fun is not None):
        raise ConfigError("lagom needs one training function: lagom(train_fn, config)")
    return _Experiment(function, config_from_keywords(config, keywords), _resolve_engine(engine), verbose).run()


def launch(*args: Any, **keywords: Any) -> Result:
    """`lagom` under its name in Maggy 0.1."""
    return lagom(*args, **keywords)


class _Experiment:
    """One call of `lagom`: everything checked in the constructor, before anything starts."""

    def __init__(self, function: Callable[..., Any], config: LagomConfig, engine: Engine, verbose: int) -> None:
        self._function, self._config, self._engine, self._verbose = function, config, engine, verbose
        self._seed = secrets.randbits(32) if config.seed is None else int(config.seed)
        self._say: Callable[[str], None] = print
        self._search = config if isinstance(config, HyperparameterOptConfig) else None
        space = self._search.searchspace if self._search is not None else None
        self._space = Searchspace() if space is None else space
        self._advisor = self._make_advisor()
        self._hparams = dict(config.hparams or {}) if isinstance(config, BaseConfig) else {}
        self._fixed = {name: value for name in FIXED_ARGUMENTS if (value := getattr(config, name, None)) is not None}
        context.check(
            function,
            hyperparameters=[*self._space.keys(), *self._hparams],
            others=["reporter", "hparams", *self._fixed],
        )
        self._resources = dict(config.resources_per_worker or {})
        slots = engine.slots(self._resources)
        self._seats = min(config.num_workers or slots, self._advisor.num_trials)
        if engine.bind_host is None:
            self._seats = 1

    def run(self) -> Result:
        """Run it to the end."""
        folder = ExperimentFolder.create(self._config.experiment_dir, self._config.name)
        try:
            fixed = {name: context.materialise(name, value, folder.url) for name, value in self._fixed.items()}
            task = context.pack(
                context.Task(
                    function=self._function,
                    optimization_key=getattr(self._config, "optimization_key", "Metric"),
                    fixed=fixed,
                    hparams=self._hparams,
                )
            )
        except BaseException:
            folder.discard()
            raise
        about = describe(
            self._config,
            function=self._function,
            engine=self._engine.name,
            seats=self._seats,
            num_trials=self._advisor.num_trials,
            seed=self._seed,
        )
        folder.write("experiment.json", to_json(about))
        if folder.is_remote:
            folder.upload()  # workers look for it at their start
        journal = JournalWriter(folder)
        tally = Tally(self._direction, self._advisor.num_trials)
        delay_s = 3 * (UPLOAD_S if folder.is_remote else SYNC_S)
        janitor = Janitor(folder.url.rstrip("/"), delay_s, lambda line: self._say(line))
        interrupted = True
        try:
            with self._showing(journal, tally) as show:
                logs = Logs(folder.local, show if self._verbose >= 2 else None)
                try:
                    interrupted = self._drive(journal, logs, janitor, task, about["id"])
                finally:
                    logs.close()
                    journal.close()
        except BaseException as error:
            error.add_note(f"The experiment's folder, with every trial that finished: {folder.url}")
            raise
        finally:
            result = self._result(folder, interrupted)
            self._keep(folder, result)
            janitor.close()
        if self._verbose:
            with suppress(OSError):  # nobody reads it any more
                print(summary(result), file=sys.stderr)
        return result

    def _keep(self, folder: ExperimentFolder, result: Result) -> None:
        """Write the result into the folder; what cannot be written is said, and the result returned all the same."""
        try:
            folder.write("result.json", to_json(dict(result)))
        except OSError as error:
            self._say(f"result.json cannot be written: {error}")
        folder.close()
        if folder.upload_error is not None:
            self._say(f"{folder.url} cannot be written ({folder.upload_error}); everything is in {folder.local}")

    @property
    def _direction(self) -> Any:
        return self._search.direction if self._search is not None else "max"

    def _make_advisor(self) -> Advisor:
        search = self._search
        return Advisor(
            SingleRun() if search is None else resolve_optimizer(search.optimizer),
            NoStoppingRule() if search is None else resolve_rule(search.es_policy),
            space=self._space,
            num_trials=1 if search is None else int(search.num_trials),
            direction=self._direction,
            seed=self._seed,
            es_min=0 if search is None else search.es_min,
            warn=lambda line: self._say(line),
        )

    def _drive(self, journal: JournalWriter, logs: Logs, janitor: Janitor, task: bytes, experiment: str) -> bool:
        """Start driver and workers, wait for the end, leave nothing running. Returns whether it was interrupted."""
        engine, config = self._engine, self._config
        supervised = engine.bind_host is not None
        patience_s = max(_LEAST_PATIENCE_S, _PATIENCE_BEATS * config.hb_interval) if supervised else inf
        brain = Brain(Rules(num_trials=self._advisor.num_trials, patience_s=patience_s))
        listener, tickets = open_channel(engine.bind_host, engine.advertised_host, self._seats, engine.entry)
        driver = Driver(
            listener=listener,
            brain=brain,
            advisor=self._advisor,
            journal=journal,
            logs=logs,
            task=task,
            heartbeat_s=config.hb_interval,
            judge_every=self._search.es_interval if self._search is not None and self._advisor.judges else 0,
            start_timeout_s=engine.start_timeout_s if supervised else inf,
            describe=engine.describe,
            experiment=experiment,
            keeper=Keeper(janitor.folder, config.checkpoint_quota_bytes, self._advisor.book.loss),
            janitor=janitor,
            say=self._say,
        )
        interrupted = run_workers(engine, tickets, self._resources, driver)
        if driver.error is not None:
            raise driver.error
        try:
            self._advisor.finalize()
        except Exception as error:  # the search is complete: nothing may take its result away
            self._say(f"the optimizer failed after the last trial: {type(error).__name__}: {error}")
        return interrupted

    @contextmanager
    def _showing(self, journal: JournalWriter, tally: Tally) -> Iterator[Callable[[str], None]]:
        if not self._verbose:
            yield self._say
            return
        feed: deque[Record] = deque()
        journal.feeds.append(feed)
        with Progress(self._config.name, tally, feed) as progress:
            self._say = progress.say
            yield progress.say

    def _result(self, folder: ExperimentFolder, interrupted: bool) -> Result:
        trials = self._advisor.book.ended
        if self._search is None:
            return Result.of_run(trials, experiment_dir=folder.url, interrupted=interrupted)
        return Result.of_search(trials, self._direction, experiment_dir=folder.url, interrupted=interrupted)


def _resolve_engine(engine: str | Engine | None) -> Engine:
    if isinstance(engine, Engine):
        return engine
    if engine is None:
        from maggy.engine.spark_cluster import spark_is_active

        engine = "spark" if spark_is_active() else "local"
    match engine.lower() if isinstance(engine, str) else engine:
        case "local":
            from maggy.engine.local import LocalEngine

            return LocalEngine()
        case "inline":
            from maggy.engine.inline import InlineEngine

            return InlineEngine()
        case "spark":
            from maggy.engine.spark import SparkEngine

            return SparkEngine()
        case _:
            raise UnknownNameError("engine", engine, _ENGINES)
