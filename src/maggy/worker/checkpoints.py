"""The checkpoints of one running trial: written into the experiment's folder, and read from there."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from time import perf_counter
from typing import Any

from maggy.context.checkpoint import load, place, save
from maggy.context.probe import Probe
from maggy.context.store import store_at
from maggy.wire.messages import CheckpointSaved


class Checkpoints:
    """Saves and loads for one attempt of a trial.

    probe  knows the experiment's folder, and whether it is seen here; None outside an experiment: checkpoints lie in
           a temporary folder, the last one only, which is gone when this object is
    url    what an earlier attempt left to go on from
    saved  what was saved last, as the driver is told
    """

    def __init__(self, probe: Probe | None = None, *, trial: int = 0, attempt: int = 0, url: str | None = None) -> None:
        self._probe, self._trial, self._attempt, self._url = probe, trial, attempt, url
        self.saved: CheckpointSaved | None = None
        self._numbers = itertools.count()
        self._temporary: list[weakref.finalize[..., Any]] = []
        self._folder = ""

    def save(self, state: Any, step: int | None) -> CheckpointSaved:
        """Write a checkpoint. Raises ExperimentDirError or CheckpointError."""
        if self._probe is not None:
            self._probe.check()
            self._folder = self._probe.folder
        elif not self._folder:
            self._folder = tempfile.mkdtemp(prefix="maggy-")
            self._remove_later(self._folder)
        begun, number = perf_counter(), next(self._numbers)
        url = f"{self._folder}/{place(self._trial, self._attempt, number)}"
        size = save(url, state, step)
        if self._probe is None and self._url is not None:
            store_at(self._url).remove()
        self._url = url
        self.saved = CheckpointSaved(self._trial, self._attempt, number, step, size, perf_counter() - begun)
        return self.saved

    def load(self) -> tuple[Any, int | None]:
        """The state that was saved last, by this attempt or an earlier one, and its step; None if there is none.

        A directory comes as a copy, so that training may write into it. Raises ExperimentDirError or CheckpointError.
        """
        if self._url is None:
            return None, None
        if self._probe is not None:
            self._probe.check()
        loaded = load(self._url)
        if loaded.scratch is not None:
            self._remove_later(str(loaded.scratch))
        return loaded.state, loaded.step

    def end(self) -> None:
        """The trial is over: nobody needs its temporary copies."""
        for remove in self._temporary:
            remove()

    def _remove_later(self, folder: str) -> None:
        self._temporary.append(weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True))
