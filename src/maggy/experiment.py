"""`lagom`: the only door."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Literal, overload

import msgspec

from maggy import context
from maggy.ablating import Ablating, with_ablator
from maggy.assembly import driver_started, find_engine, gang_size, make_advisor, objectives_of, seats_for, space_of
from maggy.brain import Brain, Rules
from maggy.brain.events import AnyEvent
from maggy.chronicle import About
from maggy.compat import changed_config, config_from_keywords
from maggy.config import FIXED_ARGUMENTS, AblationConfig, GangConfig, HyperparameterOptConfig, LagomConfig
from maggy.context.distributed import needs_fresh_process
from maggy.driver import AheadDraws, Decider, Driver, Janitor, Keeper, Logs, Replay, replay
from maggy.engine.base import Engine
from maggy.environment import uncommitted
from maggy.errors import ConfigError, ExperimentDirError, FencedError, JournalError
from maggy.handle import Run
from maggy.joining import inviting
from maggy.journal import ExperimentFolder, JournalWriter, Record, read
from maggy.journal.control import Obeying, Request
from maggy.journal.folder import to_json
from maggy.journal.writer import SYNC_S, UPLOAD_S
from maggy.launching import run_workers
from maggy.optimizer import Draws
from maggy.provenance import OF_THE_CODE, PATCH, WITH_SOURCES, describe, fingerprints
from maggy.result import Result
from maggy.resuming import Begun
from maggy.searchspace import Space
from maggy.ticket import THREAD_WORKER
from maggy.tracking.names import to_trackers
from maggy.tracking.progress import Progress
from maggy.tracking.scene import Scene
from maggy.tracking.standing import Standing
from maggy.tracking.summary import show, summary
from maggy.tracking.tracker import Tracker, Tracking, Trackings
from maggy.wire.opening import open_channel

if TYPE_CHECKING:
    from distributed import Client
    from pyspark.sql import SparkSession

# `maggy.experiment.experiment.lagom` is where Maggy 1.1 had it.
sys.modules[f"{__name__}.experiment"] = sys.modules[__name__]
experiment = sys.modules[__name__]

_LARGE_DATA_BYTES = 100 << 20
_PATIENCE_BEATS, _LEAST_PATIENCE_S = 10, 30.0


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
        return _begun(_Experiment(function, settings, find_engine(engine), verbose, trackers=trackers), block)
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
    experiment = _Experiment(
        function, settings, find_engine(engine), verbose, begun, unchanged, force=force, trackers=trackers
    )
    return _begun(experiment, block)


def run_described(
    function: Callable[..., Any],
    config: LagomConfig,
    engine: Engine,
    known: Mapping[str, Any],
    verbose: int = 1,
    track: Tracker | Sequence[Tracker] | None = None,
) -> Result:
    """Run what is known better than by looking: parts of its description that another experiment has told."""
    trackers = [track] if isinstance(track, Tracker) else list(track or ())
    return _Experiment(function, config, engine, verbose, trackers=trackers, known=known).run()


def _begun(experiment: _Experiment, block: bool) -> Result | Run:
    if block:
        return experiment.run()
    standing = Standing()
    experiment.trackers.append(standing)
    return Run(experiment, standing)


def launch(*args: Any, **keywords: Any) -> Any:
    """`lagom` under its name in Maggy 0.1."""
    return lagom(*args, **keywords)


class _Experiment:
    """One call of `lagom`: everything checked in the constructor, before anything starts."""

    def __init__(
        self,
        function: Callable[..., Any] | None,
        config: LagomConfig,
        engine: Engine,
        verbose: int,
        begun: Begun | None = None,
        unchanged: Collection[str] = (),
        *,
        force: bool = False,
        trackers: Sequence[Tracker] = (),
        known: Mapping[str, Any] | None = None,
    ) -> None:
        """
        known      parts of its description that need no look
        begun      the experiment that is resumed
        unchanged  parts of its description that need no look, as they come from its own folder
        force      resume although the others have changed
        """
        assert function is not None
        self._function, self._config, self._engine, self._verbose = function, config, engine, verbose
        self._begun, self._force = begun, force
        self.trackers = list(trackers)
        self.url: str | None = None
        self.shown = threading.Event()
        self._driver: Driver | None = None
        self._unwanted: str | None = None  # why, where somebody has said so before there was a driver
        own_seed = secrets.randbits(32) if begun is None else begun.seed
        self._seed = own_seed if config.seed is None else int(config.seed)
        self._past: list[Record] = []  # what trackers have to see first, of an experiment that is resumed
        self._say: Callable[[str], None] = print
        self._fixed = {name: value for name in FIXED_ARGUMENTS if (value := getattr(config, name, None)) is not None}
        kept = [*self._fixed, *(["ablation_study"] if isinstance(config, AblationConfig) else [])]  # data as handles
        try:  # before the policies in it are used
            self._frozen: bytes | Exception = context.dumps(replace(config, **dict.fromkeys(kept)))  # type: ignore[arg-type]
        except Exception as error:
            self._frozen = error
        if isinstance(config, AblationConfig):
            self._config = config = with_ablator(config)
        self._advisor = make_advisor(
            config,
            self._seed,
            lambda line: self._say(line),
            takes_budget=context.takes(function, "budget"),
            takes_seed=context.takes(function, "seed"),
            make_draws=Draws if engine.in_calling_thread else partial(AheadDraws, warn=lambda line: self._say(line)),
        )
        self._hparams = dict(getattr(config, "hparams", None) or {})
        self._ablating = Ablating(config, function) if isinstance(config, AblationConfig) else None
        context.check(
            function,
            hyperparameters=[*space_of(config).keys(), *self._hparams],
            optional=space_of(config).optional,
            others=[
                *("reporter", "hparams", "seed", "context"),
                *(["budget"] if self._advisor.gives_budget else []),
                *self._fixed,
                *(self._ablating.fixed if self._ablating else ()),
            ],
        )
        self._resources = dict(config.resources_per_worker or {})
        self._supervised = engine.bind_host is not None
        self._in_threads = engine.entry == THREAD_WORKER
        seats = seats_for(config, engine)
        self._workers_per_trial = gang_size(config, seats)
        if self._in_threads and self._workers_per_trial > 1:
            raise ConfigError(
                f"a trial that runs on several workers (here {self._workers_per_trial}) needs a process for each. "
                f"{engine.describe()} Leave out workers_per_trial, or use another engine"
            )
        self._seats = min(seats, self._advisor.num_trials * self._workers_per_trial)
        self._distribution = config.distribution if isinstance(config, GangConfig) else None
        self._about = describe(
            config,
            function=function,
            engine=engine.name,
            engine_says=engine.describe(),
            seats=self._seats,
            num_trials=self._advisor.num_trials,
            seed=self._seed,
        )
        self._patch = None if "git" in {*unchanged, *(known or {})} else uncommitted(self._about["git"])
        self._about |= known or {}
        self._about |= {f"takes_{name}": context.takes(function, name) for name in ("budget", "seed")}
        if begun is not None:
            begun.refuse_another_folder(config)
            self._about |= {name: begun.about.get(name) for name in {*unchanged, "started"}}
            begun.refuse_changes(self._about, force=force)

    def interrupt(self, reason: str) -> None:
        """End it and keep what has finished; from any thread."""
        self._unwanted = reason
        if (driver := self._driver) is not None:
            driver.interrupt(reason)

    def run(self) -> Result:
        """Run it to the end."""
        begun = self._begun
        if begun is None:
            folder = ExperimentFolder.create(self._config.experiment_dir, self._config.name)
        else:
            folder = ExperimentFolder.resume(begun.url)
        self.url = folder.url
        patience_s = max(_LEAST_PATIENCE_S, _PATIENCE_BEATS * self._config.hb_interval) if self._supervised else inf
        delay_s = 3 * (UPLOAD_S if folder.is_remote else SYNC_S)
        janitor = Janitor(folder.url.rstrip("/"), delay_s, lambda line: self._say(line))
        keeper = Keeper(janitor.folder, self._config.checkpoint_quota_bytes, self._advisor.book.loss)
        waits_s = getattr(self._config, "workers_timeout_s", None) or self._engine.start_timeout_s
        rules = Rules(patience_s=patience_s, workers_timeout_s=waits_s)
        decider = Decider(Brain(rules), self._advisor, keeper)
        try:
            scene = Scene(self._described(folder))
            # What an experiment that is resumed has written stands, unless it is resumed by force.
            write = partial(
                context.materialise,
                folder_url=folder.url,
                experiment=folder.id,
                written={},
                anew=self._force,
                in_place=self._in_threads and self._ablating is None,
            )
            fixed = {name: value if name == "model" else write(name, value) for name, value in self._fixed.items()}
            task = self._packed(folder, fixed, write)
            told = self._replayed(folder, decider, scene)
            if self._ablating is not None:
                fixed["ablation_study"] = self._ablating.study_with(write)
            self._write_description(folder, fixed)  # last: what was begun stands until what is resumed can go on
        except BaseException:
            if begun is None:
                folder.discard()
            folder.close()
            raise
        self._advisor.draws.go_live()
        started = driver_started(
            self._config,
            self._advisor,
            epoch=folder.epoch,
            workers_per_trial=self._workers_per_trial,
            # The inline engine has no other process.
            fresh=self._supervised and needs_fresh_process(self._distribution, os.environ.get("KERAS_BACKEND")),
        )
        begin = [*told.open, started]
        interrupted = True
        try:
            journal = JournalWriter(folder, first=told.records)
            with self._showing(folder, journal, scene) as say:
                logs = Logs(folder.local, say if self._verbose >= 2 else None)
                try:
                    interrupted = self._drive(decider, begin, journal, logs, janitor, task, folder)
                finally:
                    logs.close()
                    self._close(journal)
        except BaseException as error:
            error.add_note(f"The experiment's folder, with every trial that finished: {folder.url}")
            raise
        finally:
            result = self._result(folder, interrupted)
            self._keep(folder, result)
            self._advisor.draws.close()
            janitor.close()
        if self._verbose:
            with suppress(OSError):  # nobody reads it any more
                show(summary(result, scene.took()))
        return result

    def _packed(self, folder: ExperimentFolder, fixed: Mapping[str, Any], write: Callable[[str, Any], Any]) -> bytes:
        """What every worker fetches. Where that, or the data, is large, it is said."""
        objectives, ablating = objectives_of(self._config), self._ablating
        task = context.Task(
            function=self._function,
            optimization_key=objectives[0].key,
            further_keys=[objective.key for objective in objectives[1:]],
            fixed={**fixed, **(ablating.fixed if ablating else {})},
            hparams=self._hparams,
            seed=self._seed,
            arrangement=None if ablating is None else ablating.arrangement(write),
            distribution=self._distribution,
        )
        if self._in_threads:
            self._lent = task
            return context.lend(task)
        packed = context.pack(task)
        if self._verbose and len(packed) > context.LARGE_BYTES:
            self._say(f"each worker fetches {len(packed) / 1e6:.0f} MB (largest: {context.largest(task)})")
        for name, value in fixed.items():
            if self._verbose and (size := context.size_of(value)) > _LARGE_DATA_BYTES:
                self._say(f"{name} lies in {folder.url}/data: {size / 1e6:.0f} MB, which each worker opens there")
        return packed

    def _write_description(self, folder: ExperimentFolder, fixed: Mapping[str, Any]) -> None:
        """Write down what the experiment is begun or resumed with."""
        recipe: bytes | None = None
        runs_here = "the function was called as it is, in the program itself" if self._in_threads else None
        self._about |= {"id": folder.id, "no_recipe": runs_here, "data": fingerprints(fixed)}
        try:
            if isinstance(self._frozen, Exception):
                raise self._frozen
            if not self._in_threads:
                recipe = context.pack_recipe(
                    context.Recipe(function=self._function, config=self._frozen, fixed=fixed, engine=self._engine.name)
                )
        except Exception as error:  # a __reduce__ may raise anything
            self._about["no_recipe"] = f"the config cannot be pickled ({type(error).__name__}: {error})"
        try:
            if recipe is not None:
                folder.write("recipe.pkl", recipe)
            if self._patch is not None:
                folder.write(PATCH, self._patch)
            folder.write("experiment.json", to_json(self._about))
        except OSError as error:
            raise ExperimentDirError(f"experiment_dir {folder.url!r} cannot be written: {error}") from error
        if folder.is_remote:
            folder.upload()  # workers look for it at their start

    def _replayed(self, folder: ExperimentFolder, decider: Decider, scene: Scene) -> Replay:
        """What the journal of an experiment that is resumed has to tell; of a new one, nothing."""
        if self._begun is None:
            return Replay()

        def records() -> Iterator[Record]:
            for record in read(folder):
                scene.add(record)
                if self.trackers:
                    self._past.append(record)
                yield record

        told = replay(decider, records())
        if told.differences:
            self._say(
                f"{len(told.differences)} of {told.decisions} past decisions would come out otherwise now; those in "
                f"the journal stand. The first: {told.differences[0]}"
            )
        return told

    def _close(self, journal: JournalWriter) -> None:
        """Write the last of the journal. What the disk refuses is said: it must not hide how the experiment went."""
        try:
            journal.close()
        except JournalError as error:
            self._say(f"the end of the journal is lost: {error}")

    def _keep(self, folder: ExperimentFolder, result: Result) -> None:
        """Write the result into the folder; what cannot be written is said, and the result returned all the same."""
        try:
            folder.write("result.json", to_json(dict(result)))
        except OSError as error:
            self._say(f"result.json cannot be written: {error}")
        folder.close()
        if folder.upload_error is not None:
            self._say(f"{folder.url} cannot be written ({folder.upload_error}); everything is in {folder.local}")

    def _drive(
        self,
        decider: Decider,
        begin: Sequence[AnyEvent],
        journal: JournalWriter,
        logs: Logs,
        janitor: Janitor,
        task: bytes,
        folder: ExperimentFolder,
    ) -> bool:
        """Start driver and workers, wait for the end, leave nothing running. Returns whether it was interrupted."""
        engine, config = self._engine, self._config
        listener, tickets = open_channel(engine.bind_host, engine.advertised_host, self._seats, engine.entry)
        driver = Driver(
            listener=listener,
            decider=decider,
            begin=begin,
            journal=journal,
            logs=logs,
            task=task,
            heartbeat_s=config.hb_interval,
            start_timeout_s=engine.start_timeout_s if self._supervised else inf,
            describe=engine.describe,
            experiment=folder.id,
            janitor=janitor,
            say=lambda line: self._say(line),
            combine=getattr(config, "combine", "mean"),
            gang_timeout_s=getattr(config, "collective_timeout_s", inf),
        )
        self._driver = driver
        if self._unwanted is not None:
            driver.interrupt(self._unwanted)
        self._say_spare()
        with inviting(folder.url, tickets[0], self._resources), Obeying(folder, partial(_obey, driver)):
            interrupted = run_workers(engine, tickets, self._resources, driver)
        if isinstance(driver.error, JournalError) and not isinstance(driver.error, FencedError):
            self._say(f"ended early, with what is known here: {driver.error}")
            return True
        if driver.error is not None:
            raise driver.error
        try:
            self._advisor.finalize()
        except Exception as error:  # the search is complete: nothing may take its result away
            self._say(f"the optimizer failed after the last trial: {type(error).__name__}: {error}")
        return interrupted

    @contextmanager
    def _showing(
        self, folder: ExperimentFolder, journal: JournalWriter, scene: Scene
    ) -> Iterator[Callable[[str], None]]:
        about = self._described(folder)
        with ExitStack() as stack:
            trackings = [
                Tracking(tracker, about, _fed(journal, self._past), lambda line: self._say(line))
                for tracker in self.trackers
            ]
            if self._verbose:
                progress = stack.enter_context(Progress(scene, _fed(journal), trackings, folder.local))
                self._say = progress.say
            stack.enter_context(Trackings(trackings, self._say if self._verbose else lambda line: None))
            self.shown.set()
            yield self._say

    def _described(self, folder: ExperimentFolder) -> About:
        return About.of(folder.url, msgspec.json.decode(to_json(self._about)))

    def _say_spare(self) -> None:
        """Tell of workers that have no part in any trial, as long as no other is lost."""
        if self._verbose and (spare := self._seats % self._workers_per_trial):
            self._say(f"{spare} of {self._seats} workers wait in reserve: each trial takes {self._workers_per_trial}")

    def _result(self, folder: ExperimentFolder, interrupted: bool) -> Result:
        self._advisor.book.close()
        trials = self._advisor.book.ended
        if not isinstance(self._config, HyperparameterOptConfig | AblationConfig):
            return Result.of_run(trials, experiment_dir=folder.url, interrupted=interrupted)
        objectives = objectives_of(self._config)
        result = Result.of_search(trials, objectives, experiment_dir=folder.url, interrupted=interrupted)
        if self._ablating is not None:
            result.effects = self._ablating.effects(trials)
            result["effects"] = result.effects.to_dict()
        result.study_stopped = self._advisor.watch.stopped
        return result


def _obey(driver: Driver, request: Request) -> None:
    """Do what somebody asks by a file under `control/`."""
    reason = f"asked for by {request.by or 'somebody'}"
    if request.trial is None:
        driver.interrupt(reason)
    else:
        driver.stop_trial(request.trial, reason)


def _fed(journal: JournalWriter, past: Sequence[Record] = ()) -> deque[Record]:
    """A queue that has past records, and gets each one as it is written."""
    feed = deque(past)
    journal.feeds.append(feed)
    return feed
