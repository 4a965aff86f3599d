"""Whether the machine that this runs on sees the experiment's folder."""

from __future__ import annotations

import socket
import threading
from typing import Any

import msgspec

from maggy.context.store import store_at
from maggy.errors import ExperimentDirError


class Probe:
    """Looks into the experiment's folder once, when a worker starts.

    A path is looked at at once. A URL is in a thread, because its store may take its time, and nobody may need it.

    folder      path or URL of the experiment's folder
    experiment  id of the experiment, which its experiment.json has
    """

    def __init__(self, folder: str, experiment: str) -> None:
        self.folder, self._experiment = folder, experiment
        self._unseen: str | None = None
        self._thread: threading.Thread | None = None
        if "://" in folder:
            self._thread = threading.Thread(target=self._look, name="maggy-probe", daemon=True)
            self._thread.start()
        else:
            self._look()

    def check(self) -> None:
        """Raise ExperimentDirError if this machine does not see the folder.

        What was not seen is looked for once more: a store may have had a bad moment.
        """
        if self._thread is not None:
            self._thread.join()
        if self._unseen is not None:
            self._look()
        if self._unseen is not None:
            raise ExperimentDirError(
                f"the worker on {socket.gethostname()} cannot see the experiment's folder {self.folder} "
                f"({self._unseen}), and checkpoints and tables that are handed over lie there. Set experiment_dir to a "
                f"place that every worker reaches: a shared mount, or a URL, e.g. 'hdfs:///runs/1' or 's3://bucket/runs/1'"
            )

    def _look(self) -> None:
        try:
            with store_at(self.folder).open("experiment.json") as file:
                found = msgspec.json.decode(file.read(), type=dict[str, Any]).get("id")
            self._unseen = None if found == self._experiment else "another experiment lies there"
        except Exception as error:  # each file system has errors of its own
            self._unseen = f"{type(error).__name__}: {error}"
