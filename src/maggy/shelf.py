"""The experiments that lie in a folder, and how each one stands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Literal

from maggy.brain.commands import Ending
from maggy.chronicle import Tally
from maggy.errors import ExperimentDirError
from maggy.journal import ExperimentFolder
from maggy.journal.control import driver_alive

State = Literal["running", "complete", "interrupted", "crashed", "failed", "unfinished"]
"""How an experiment stands. "crashed": its driver is gone without a word; "unfinished": whether its driver still runs
cannot be known from here, because it is on another machine; "failed": it ended without any result."""

_DEEPEST = 8


def experiments_in(folder: str | os.PathLike[str]) -> Iterator[str]:
    """The path or URL of every experiment in a folder and the folders below it; also of the folder itself.

    Raises ExperimentDirError if there is no such folder, or it cannot be read.
    """
    import fsspec

    url = os.fspath(folder)
    try:
        fs, root = fsspec.core.url_to_fs(url)
        if not fs.exists(root):
            raise ExperimentDirError(f"there is no folder {url!r}")
        yield from _below(fs, root, url.rstrip("/") or url, _DEEPEST)
    except ExperimentDirError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise ExperimentDirError(f"{url!r} cannot be read: {error}") from error


def _below(fs: Any, path: str, url: str, depth: int) -> Iterator[str]:
    try:
        found = fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # it has gone in between, or is not ours
        return
    entries = {each["name"].rstrip("/").rpartition("/")[2]: each for each in found}
    if "experiment.json" in entries:
        yield url
        return
    for name, each in sorted(entries.items(), key=lambda pair: (len(pair[0]), pair[0])):  # 2 before 10
        if each["type"] == "directory" and not name.startswith(".") and depth:
            yield from _below(fs, each["name"], f"{url}/{name}", depth - 1)


def state_of(folder: ExperimentFolder, tally: Tally) -> State:
    """How an experiment stands, which has told its tally everything so far."""
    match tally.ending:
        case Ending.COMPLETE:
            return "failed" if tally.ended and tally.best is None else "complete"
        case Ending.INTERRUPTED:
            return "interrupted"
        case None:
            alive = driver_alive(folder)
            return "unfinished" if alive is None else "running" if alive else "crashed"
    return "failed"
