"""One experiment, from its config to its result."""

from __future__ import annotations

import os
import secrets
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from maggy import context
from maggy.assembly import driver_started, gang_size, make_advisor, objectives_of, seats_for, space_of
from maggy.brain import Brain, Rules
from maggy.brain.events import AnyEvent
from maggy.chronicle import About
from maggy.config import FIXED_ARGUMENTS, AblationConfig, GangConfig, HyperparameterOptConfig, LagomConfig
from maggy.context.distributed import needs_fresh_process
from maggy.driver import AheadDraws, Decider, Driver, Janitor, Keeper, Logs, Replay, replay
from maggy.engine.base import Engine
from maggy.environment import uncommitted
from maggy.errors import ConfigError, ExperimentDirError, FencedError, JournalError
from maggy.joining import inviting
from maggy.journal import ExperimentFolder, JournalWriter, Record, read
from maggy.journal.control import Obeying, Request
from maggy.journal.folder import to_json
from maggy.journal.writer import SYNC_S, UPLOAD_S
from maggy.launching import run_workers
from maggy.optimizer import Draws
from maggy.provenance import PATCH, describe, fingerprints
from maggy.result import Result
from maggy.resuming import Begun
from maggy.ticket import THREAD_WORKER
from maggy.tracking.progress import Progress
from maggy.tracking.scene import Scene
from maggy.tracking.summary import show, summary
from maggy.tracking.tracker import Tracker, Tracking, Trackings
from maggy.wire.opening import open_channel

if TYPE_CHECKING:
    from maggy.ablating import Ablating

_LARGE_DATA_BYTES = 100 << 20
_PATIENCE_BEATS, _LEAST_PATIENCE_S = 10, 30.0


class Experiment:
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
        self._ablating: Ablating | None = None
        if isinstance(config, AblationConfig):
            from maggy.ablating import Ablating, with_ablator  # loads what only a study needs

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
        if isinstance(config, AblationConfig):
            self._ablating = Ablating(config, function)
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
        self._advisor.book.spill.folder = folder.local
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
        later = not (self._in_threads or self._engine.in_calling_thread)
        with ExitStack() as stack:
            trackings = [
                Tracking(tracker, about, _fed(journal, self._past), lambda line: self._say(line))
                for tracker in self.trackers
            ]
            if self._verbose:
                progress = stack.enter_context(Progress(scene, _fed(journal), trackings, folder.local, later=later))
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
        trials = self._advisor.book.ended.all()
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
