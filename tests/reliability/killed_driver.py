"""An experiment whose driver can be killed with -9 after any byte of its journal, in a process of its own."""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import maggy.journal.writer
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.optimizer import Optimizer
from maggy.resuming import replay_experiment
from maggy.trial import Trial

_processes = get_context("forkserver")
_processes.set_forkserver_preload(["numpy", "zmq", "maggy.experiment", "reliability.killed_driver"])


class Hill(Optimizer):
    """Draws around the best so far: every suggestion depends on all that has ended."""

    def prepare(self, setting):
        self.best = (float("inf"), 0.5)
        return super().prepare(setting)

    def suggest(self, n, rng):
        lr = min(1.0, max(0.0, self.best[1] + 0.2 * rng.standard_normal()))
        return Trial({"lr": lr}) if n < self.setting.num_trials else None

    def observe(self, report):
        if report.loss is not None:
            self.best = min(self.best, (report.loss, report.trial.params["lr"]))


def train(lr, reporter):
    for step in range(1, 6):
        reporter.broadcast((lr - 0.3) ** 2 + 1 / step, step)
    return (lr - 0.3) ** 2


def config(optimizer: Any, num_trials: int, **settings: Any) -> HyperparameterOptConfig:
    return HyperparameterOptConfig(
        num_trials, optimizer, Searchspace(lr=("DOUBLE", [0.0, 1.0])), direction="min", seed=7, **settings
    )


def outcome(result) -> dict[int, tuple[Any, ...]]:
    """What the user gets, by trial; not when, and not where it ran."""
    return {
        trial.trial_id: (str(trial.state), trial.params, trial.final_metric, trial.best_metric)
        for trial in result.trials
    }


class Killing:
    """Stands for the module `os` in the journal's writer: the process is killed after so many bytes are written."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def pwrite(self, file: int, data: bytes | memoryview, offset: int) -> int:
        if len(data) < self._left:
            self._left -= len(data)
            return os.pwrite(file, data, offset)
        os.pwrite(file, data[: self._left], offset)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody survives this")


def drive(
    folder: Path,
    settings: HyperparameterOptConfig | None,
    *,
    engine: str = "inline",
    resume: bool = False,
    kill_after: int | None = None,
) -> tuple[dict[int, tuple[Any, ...]], list[str]] | None:
    """Run or resume an experiment in a process of its own.

    settings    None: resume with what the folder holds

    Returns what the user gets and the differences that a replay finds; None if it was killed.
    """
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_drive, args=(theirs, folder, settings, engine, resume, kill_after))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        answer = None
    process.join()
    assert process.exitcode in ((0,) if kill_after is None else (0, -signal.SIGKILL))
    process.close()
    ours.close()
    return answer


def _drive(pipe, folder, settings, engine, resume, kill_after):
    os.chdir(folder.parent)
    if kill_after is not None:
        maggy.journal.writer.os = Killing(kill_after)
    if resume:
        function = None if settings is None else train
        result = lagom(function, settings, engine=engine, resume=folder, verbose=0)
    else:
        settings.experiment_dir = folder
        result = lagom(train, settings, engine=engine, verbose=0)
    told, _ = replay_experiment(folder)
    pipe.send((outcome(result), [str(difference) for difference in told.differences]))
    pipe.close()
