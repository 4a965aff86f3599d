"""Objectives that run step by step: rung after rung, each from where the one before ended."""

from __future__ import annotations

import copy
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from maggy.errors import ConfigError
from maggy.tune.monitor import Monitor
from maggy.tune.trial import Trial, TrialReport


class CheckpointFolder(DirFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A checkpoint's folder on this machine, as a file system of fsspec: paths are relative to it.

    It also has the names of PyFilesystem that objectives of Fugue-Tune call most.
    """

    def getsyspath(self, path: str) -> str:
        """The path on this machine, for libraries that want one."""
        return str(Path(self.path) / path.lstrip("/"))

    def writetext(self, path: str, text: str) -> None:
        self.write_text(path, text)

    def readtext(self, path: str) -> str:
        return str(self.read_text(path))

    def writebytes(self, path: str, data: bytes) -> None:
        self.pipe_file(path, data)

    def writefile(self, path: str, file: IO[bytes]) -> None:
        with self.open(path, "wb") as written:
            shutil.copyfileobj(file, written)

    def openbin(self, path: str, mode: str = "r") -> Any:
        return self.open(path, f"{mode.replace('b', '')}b")

    def opendir(self, path: str) -> CheckpointFolder:
        return CheckpointFolder(path=self.getsyspath(path), fs=self.fs)

    def readbytes(self, path: str) -> bytes:
        return bytes(self.cat_file(path))


class IterativeObjectiveFunc(ABC):
    """An objective that runs step by step. A copy of it runs each trial; what it holds has to be set in `initialize`.

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self) -> None:
        self._trial: Trial | None = None
        self._rung = 0

    @property
    def current_trial(self) -> Trial:
        """The running trial."""
        if self._trial is None:
            raise ConfigError("an objective has a current_trial only while it runs")
        return self._trial

    @property
    def rung(self) -> int:
        """The rung that it runs, from 0."""
        return self._rung

    def copy(self) -> IterativeObjectiveFunc:
        """The copy that runs a trial; a deep one, so that trials share nothing."""
        return copy.deepcopy(self)

    def initialize(self) -> None:
        """A trial begins, or goes on: called first, with `current_trial` set."""

    def finalize(self) -> None:
        """It is paused or over: called last, also after an error."""

    def generate_sort_metric(self, metric: float) -> float:
        """What candidates are sorted by, smaller is better; override it to return `-metric` where larger is better."""
        return float(metric)

    def run_single_iteration(self) -> TrialReport:
        """Train one more unit of budget, and report."""
        raise NotImplementedError(f"{type(self).__name__} has to have run_single_iteration, or run_single_rung")

    def run_single_rung(self, budget: float) -> TrialReport:
        """Train so much more, and report; one `run_single_iteration` for each unit, if it is not overridden."""
        report: TrialReport | None = None
        used = 0.0
        while used < budget:
            report = self._checked(self.run_single_iteration())
            if not report.cost > 0:
                raise ValueError(f"{type(self).__name__} reported a cost of {report.cost}, which uses up no budget")
            used += report.cost
        if report is None:
            raise ConfigError(f"a rung needs a budget above 0, got {budget}")
        return report.with_cost(used)

    @abstractmethod
    def save_checkpoint(self, fs: CheckpointFolder) -> None:
        """Write into the folder what is needed to go on."""

    @abstractmethod
    def load_checkpoint(self, fs: CheckpointFolder) -> None:
        """Go on from what `save_checkpoint` has written."""

    def run(
        self,
        trial: Trial,
        budget: Callable[[int], float],
        judge: Callable[[TrialReport], bool],
        *,
        save: Callable[[Path], None],
        begin: Path | None = None,
        rung: int = 0,
        always_checkpoint: bool = False,
    ) -> TrialReport:
        """Run a copy of the objective, rung after rung, as long as it is told to go on; returns the last report.

        budget  of a rung, by its number
        judge   is given the report of each rung; whether to go on with the next
        save    takes the folder of a checkpoint, which is removed afterwards
        begin   folder of the checkpoint to go on from
        rung    the first one
        always_checkpoint  save after every rung, instead of after the last only, or that at which `judge` raises
        """
        func = self.copy()
        func._trial, func._rung = trial, rung
        func.initialize()
        try:
            if begin is not None:
                func.load_checkpoint(CheckpointFolder(path=str(begin), fs=LocalFileSystem()))
            while True:
                report = func._report(budget(func._rung))
                goes_on = False
                try:
                    goes_on = judge(report)
                finally:
                    if always_checkpoint or not goes_on:
                        func._save(save)
                if not goes_on:
                    return report
                func._rung += 1
        finally:
            func.finalize()

    def _report(self, budget: float) -> TrialReport:
        report = self._checked(self.run_single_rung(budget))
        return report.with_sort_metric(self.generate_sort_metric(report.metric)).with_rung(self._rung)

    def _checked(self, report: object) -> TrialReport:
        if not isinstance(report, TrialReport):
            raise TypeError(f"{type(self).__name__} has to return a TrialReport, got {type(report).__name__}")
        return report

    def _save(self, save: Callable[[Path], None]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="maggy-rung-"))
        try:
            self.save_checkpoint(CheckpointFolder(path=str(folder), fs=LocalFileSystem()))
            save(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def to_iterative_objective(objective: object) -> IterativeObjectiveFunc:
    """The objective that is meant: an `IterativeObjectiveFunc`, or a class of it. Raises ConfigError."""
    if isinstance(objective, type) and issubclass(objective, IterativeObjectiveFunc):
        return objective()
    if isinstance(objective, IterativeObjectiveFunc):
        return objective
    raise ConfigError(f"an iterative objective is an IterativeObjectiveFunc, got {objective!r}")


def validate_iterative_objective(
    func: Any,
    trial: Trial,
    budgets: Sequence[float],
    validator: Callable[[Sequence[TrialReport]], None],
    continuous: bool = False,
    checkpoint_path: str = "",
    monitor: Monitor | None = None,
) -> None:
    """Run an objective through rungs of these budgets, here, checkpoints included, before any scale.

    budgets          of the rungs, each what it adds
    validator        is given the report of each rung, and raises where they are not as they should be
    continuous       run all rungs in one go, as continuous ASHA does; else each from the checkpoint of the one before
    checkpoint_path  a folder for the checkpoints, which stay there; "" for a temporary one
    monitor          is told of each report

    Source: Fugue-Tune's function of this name.

    Raises whatever the objective and the validator raise.
    """
    objective = to_iterative_objective(func)
    if not budgets:
        raise ConfigError("there is nothing to validate: budgets is empty")
    reports: list[TrialReport] = []
    with tempfile.TemporaryDirectory(prefix="maggy-validate-") as scratch:
        base = Path(checkpoint_path or scratch)
        saved: Path | None = None
        first = 0

        def keep(folder: Path) -> None:
            nonlocal saved
            saved = base / trial.trial_id / str(len(reports))
            shutil.copytree(folder, saved, dirs_exist_ok=True)

        def judge(report: TrialReport) -> bool:
            reports.append(report)
            if monitor is not None:
                monitor.on_report(report)
            return continuous and len(reports) < len(budgets)

        while len(reports) < len(budgets):
            objective.run(trial, budgets.__getitem__, judge, begin=saved, save=keep, rung=first)
            first = len(reports)
        validator(reports)
