"""The running trial's own folder for event files, which a TensorBoard callback of the user's writes."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from maggy.context.distributed import Alone, Gang
from maggy.context.probe import Probe


class LogDir:
    """Makes the folder when it is asked for.

    probe  knows the experiment's folder, and whether it is seen here; None outside an experiment
    trial  number of the trial
    gang   the workers that run the trial together; each has a folder of its own; None: a worker alone
    """

    def __init__(self, probe: Probe | None = None, *, trial: int = 0, gang: Gang | None = None) -> None:
        self._probe = probe
        rank = (gang or Alone()).rank
        self._place = f"trials/{trial}/tensorboard" + (f"/rank-{rank}" if rank else "")
        self._path: str | None = None
        self._upload_to: str | None = None

    def path(self) -> str:
        """The folder on this machine.

        Raises ExperimentDirError if this machine does not see the experiment's folder.
        """
        if self._path is None:
            self._path = self._make()
        return self._path

    def end(self) -> None:
        """The trial is over: bring to the experiment's folder what was written elsewhere.

        Raises whatever the store raises.
        """
        if self._upload_to is None or self._path is None:
            return
        import fsspec

        try:
            fs, root = fsspec.core.url_to_fs(self._upload_to)
            for parent, _, names in os.walk(self._path):
                for name in names:
                    file = Path(parent) / name
                    target = f"{root}/{file.relative_to(self._path).as_posix()}"
                    fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                    fs.put_file(str(file), target)
        finally:
            shutil.rmtree(self._path, ignore_errors=True)

    def _make(self) -> str:
        if self._probe is None:
            path = Path("maggy-runs", "by-hand", f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}", "tensorboard")
        else:
            self._probe.check()
            folder = self._probe.folder
            if "://" in folder:
                self._upload_to = f"{folder}/{self._place}"
                return tempfile.mkdtemp(prefix="maggy-tensorboard-")
            path = Path(folder, self._place)
        path.mkdir(parents=True, exist_ok=True)
        return str(path.absolute())
