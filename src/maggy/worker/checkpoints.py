"""The checkpoints of one running trial: written into the experiment's folder, and read from there."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from time import perf_counter
from typing import Any

from maggy.context.checkpoint import Loaded, load, place, save
from maggy.context.distributed import Alone, Gang
from maggy.context.distributed.agreement import together
from maggy.context.probe import Probe
from maggy.context.store import store_at
from maggy.errors import CheckpointError
from maggy.wire.messages import CheckpointSaved


class Checkpoints:
    """Saves and loads for one attempt of a trial.

    probe  knows the experiment's folder, and whether it is seen here; None outside an experiment: checkpoints lie in
           a temporary folder, the last one only, which is gone when this object is
    url    what an earlier attempt left to go on from
    gang   the workers that run the trial together; rank 0 saves for all but what is sharded; None: a worker alone
    saved  what was saved last, as the driver is told
    """

    def __init__(
        self,
        probe: Probe | None = None,
        *,
        trial: int = 0,
        attempt: int = 0,
        url: str | None = None,
        gang: Gang | None = None,
    ) -> None:
        self._gang: Gang = gang or Alone()
        self._probe, self._trial, self._attempt, self._url = probe, trial, attempt, url
        self.saved: CheckpointSaved | None = None
        self._numbers = itertools.count()
        self._temporary: list[weakref.finalize[..., Any]] = []
        self._folder = ""

    def save(self, state: Any, step: int | None) -> CheckpointSaved | None:
        """Write a checkpoint, or this rank's part of one. Returns what the driver is to be told, on rank 0.

        Raises ExperimentDirError or CheckpointError; PeerLostError where a rank does not come that has a part of it.
        """
        if self._probe is not None:
            self._probe.check()
            self._folder = self._probe.folder
        elif not self._folder:
            self._folder = tempfile.mkdtemp(prefix="maggy-")
            self._remove_later(self._folder)
        begun, number = perf_counter(), next(self._numbers)
        url = f"{self._folder}/{place(self._trial, self._attempt, number)}"
        size = save(url, state, step, self._gang)
        if self._probe is None and self._url is not None:
            store_at(self._url).remove()
        self._url = url
        if self._gang.rank > 0:
            return None
        self.saved = CheckpointSaved(self._trial, self._attempt, number, step, size, perf_counter() - begun)
        return self.saved

    def load(self) -> tuple[Any, int | None]:
        """The state that was saved last, by this attempt or an earlier one, and its step; None if there is none.

        A directory comes as a copy, so that training may write into it. The ranks of a gang load together, what rank 0
        saved, and none goes on where one cannot. Raises ExperimentDirError or CheckpointError; PeerLostError where
        another rank does not come.
        """
        url = str(self._gang.gather("the checkpoint to load", self._url or "")[0][0])
        if not url:
            return None, None
        loaded: list[Loaded] = []
        together(self._gang, "load a checkpoint", lambda: loaded.append(self._load(url)), CheckpointError)
        return loaded[0].state, loaded[0].step

    def end(self) -> None:
        """The trial is over: nobody needs its temporary copies."""
        for remove in self._temporary:
            remove()

    def _load(self, url: str) -> Loaded:
        if self._probe is not None:
            self._probe.check()
        loaded = load(url, spread=True)
        if loaded.scratch is not None:
            self._remove_later(str(loaded.scratch))
        return loaded

    def _remove_later(self, folder: str) -> None:
        self._temporary.append(weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True))
