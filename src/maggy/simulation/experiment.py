"""`simulate`: an experiment under a virtual clock."""

from __future__ import annotations

import os
import secrets
import sys
import warnings
from collections.abc import Callable
from math import inf, isfinite
from numbers import Integral
from typing import Any

from maggy.assembly import driver_started, make_advisor, space_of
from maggy.brain import Brain, Rules
from maggy.config import HyperparameterOptConfig
from maggy.driver import Decider, Driver, Keeper
from maggy.errors import ConfigError
from maggy.provenance import describe
from maggy.result import Result
from maggy.simulation.curves import CurveSource, curve_source
from maggy.simulation.fleet import Fleet, Losses, Stragglers
from maggy.simulation.listener import SimulatedListener
from maggy.simulation.process import World
from maggy.simulation.records import recording
from maggy.simulation.result import SimulationResult
from maggy.simulation.timeline import Timeline
from maggy.simulation.training import Checkpoints, Training


def simulate(
    config: HyperparameterOptConfig,
    curves: CurveSource | Any,
    *,
    workers: int,
    seed: int | None = None,
    takes_budget: bool = True,
    resumes: bool = False,
    checkpoint_every: int | None = None,
    start_s: float = 0.0,
    losses: Losses | None = None,
    stragglers: Stragglers | Callable[[int], float] | None = None,
    experiment_dir: str | os.PathLike[str] | None = None,
) -> SimulationResult:
    """Play an experiment under a virtual clock: the real driver, and workers that only pretend to train.

    config            what would be run; what it says of workers, heartbeats and folders is not used
    curves            a function of a configuration that returns its `LearningCurve`; or, as a training function without
                      steps does, a number or a dict, for a trial of one second. Or an object with the methods
                      `curve(params)` and `seconds(params)`. The same configuration should get the same answer. If it
                      raises, the trial fails at once
    workers           how many there are; as in a real experiment, never more than trials
    seed              None: that of the config, else a fresh one. With the same seed everything comes out the same
    takes_budget      whether the training function would ask for a `budget`; a trial that is given one takes as many
                      steps, as far as its curve goes
    resumes           whether the training function would save a checkpoint at its last step, and go on from it when it
                      is promoted, lost, or begun with another trial's; else every run begins at step 1
    checkpoint_every  with `resumes`: it also saves one every so many steps
    start_s           the workers come evenly spread over so many seconds
    losses            how worker processes die; None: they do not
    stragglers        which workers are slow; or how many times longer a step takes on worker k, counted from 0
    experiment_dir    where journal and result are written, with virtual times; None: nowhere. Either way, of more than
                      10,000 trials the older ones leave the memory for a file without a name, there or where temporary
                      files lie, that goes with the process

    Returns what `lagom` would return, with the times of the virtual clock: seconds since the beginning.

    Raises ConfigError before anything starts; ExperimentFailedError if the first few trials all fail in the same way.
    """
    _check(config, workers, resumes, checkpoint_every, start_s)
    source = curve_source(curves)
    seed = int(next(each for each in (seed, config.seed, secrets.randbits(32)) if each is not None))
    advisor = make_advisor(config, seed, _warn, takes_budget=takes_budget)
    workers = min(workers, advisor.num_trials)

    def about() -> dict[str, Any]:
        num_trials = advisor.num_trials
        facts = describe(config, function=curves, engine="simulated", seats=workers, num_trials=num_trials, seed=seed)
        return {**facts, "takes_budget": takes_budget}

    with recording(experiment_dir, config.name, about) as records:
        url = "" if records.folder is None else records.folder.url
        folder = url or "simulated"
        if records.folder is not None:
            advisor.book.spill.folder = records.folder.local
        timeline = Timeline()
        listener = SimulatedListener(timeline)
        checkpoints = Checkpoints(folder)
        driver = Driver(
            listener=listener,
            decider=Decider(Brain(Rules()), advisor, Keeper(folder, config.checkpoint_quota_bytes, advisor.book.loss)),
            begin=[driver_started(config, advisor, epoch=0)],
            journal=records.journal,
            logs=records.logs,
            task=b"",
            heartbeat_s=inf,
            start_timeout_s=inf,
            describe=lambda: "",
            experiment="",
            janitor=checkpoints,
            say=_say if records.folder is not None else lambda line: None,
            clock=timeline,
        )
        training = Training(
            source,
            config.objectives,
            hyperparameters=space_of(config).keys(),
            checkpoints=checkpoints if resumes else None,
            save_every=checkpoint_every,
        )
        world = World(timeline, listener, training)
        Fleet(
            world,
            workers=workers,
            seed=seed,
            start_s=start_s,
            losses=losses,
            stragglers=stragglers,
            on_empty=driver.close,
        )
        driver.run()  # in this thread: time goes on where the driver waits
        if driver.error is not None:
            raise driver.error
        advisor.finalize()
        advisor.book.close()
        outcome = Result.of_search(advisor.book.ended.all(), config.objectives, experiment_dir=url, interrupted=False)
        outcome.study_stopped = advisor.watch.stopped
        result = SimulationResult(
            outcome,
            simulated_s=timeline.now,
            busy_share=world.busy_s / world.there_s if world.there_s else 0.0,
            num_events=records.journal.count,
            seed=seed,
        )
        records.keep(result)
    return result


def _check(
    config: HyperparameterOptConfig, workers: int, resumes: bool, checkpoint_every: int | None, start_s: float
) -> None:
    if not isinstance(config, HyperparameterOptConfig):
        raise ConfigError(f"simulate plays a HyperparameterOptConfig, got {config!r}")
    if config.workers_per_trial > 1:
        raise ConfigError(
            f"simulate plays trials on one worker each, and workers_per_trial is {config.workers_per_trial}: say how "
            f"long a step takes on that many, and leave workers_per_trial out"
        )
    for name, value in (("workers", workers), ("checkpoint_every", checkpoint_every)):
        if value is not None and not (isinstance(value, Integral) and value >= 1):
            raise ConfigError(f"{name} has to be a whole number of at least 1, got {value!r}")
    if checkpoint_every is not None and not resumes:
        raise ConfigError("checkpoint_every goes with resumes=True: otherwise there are no checkpoints")
    if not (start_s >= 0 and isfinite(start_s)):
        raise ConfigError(f"start_s has to be a number of seconds, got {start_s!r}")


def _warn(line: str) -> None:
    warnings.warn(line, RuntimeWarning, stacklevel=2)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
