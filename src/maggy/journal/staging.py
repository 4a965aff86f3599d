"""The folder on this machine in which an experiment that belongs to a store is written first.

Its journal is the write-ahead log: ahead of the store by what was not yet uploaded. So it is never deleted as long as
the store may lack something of it.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from pathlib import Path

from maggy.errors import JournalError
from maggy.journal.epochs import Epoch, epochs_of, segment_name
from maggy.journal.places import LocalPlace, Store
from maggy.journal.upload import EpochUpload


def user_cache() -> Path:
    """Where this user's programs keep what belongs to no experiment's folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maggy"


def path_of(url: str) -> Path:
    """Where it lies: in the user's cache, derived from the URL."""
    return user_cache() / "staging" / hashlib.sha256(url.encode()).hexdigest()[:16]


def make(path: Path) -> None:
    """Make it, for this user's eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def set_aside(path: Path) -> None:
    """Make room: what a driver has left is kept under the next free number, anything else removed."""
    if not LocalPlace(path).sizes("journal"):
        shutil.rmtree(path)
        return
    for number in itertools.count(1):
        other = path.with_name(f"{path.name}-{number}")
        if not other.exists():
            path.rename(other)
            return


def fetch_missing(local: LocalPlace, epochs: list[Epoch]) -> bool:
    """Complete what the store's last driver has left on this machine; False if that driver ran elsewhere.

    A power cut may have taken what the store has.
    """
    try:
        here = epochs_of(local)
    except JournalError:
        return False
    if not here or here[-1].claim != epochs[-1].claim:
        return False
    for mine, theirs in zip(here, epochs, strict=True):
        if sum(mine.segments.values()) < sum(theirs.segments.values()):
            _fetch_epoch(local, theirs)
    return True


def fetch_all(local: LocalPlace, store: Store, epochs: list[Epoch]) -> None:
    """Get the experiment from the store: journal, logs, description. The claims come last: with them it is whole."""
    for epoch in epochs:
        _fetch_epoch(local, epoch)
    logs = [name for name in store.find("trials", "workers") if name.endswith(".log")]
    for name in ["experiment.json", *logs]:
        if store.exists(name):
            local.put(name, store.read(name))
    for epoch in epochs:
        local.put_new(epoch.claim.name, epoch.claim.to_bytes())


def send_rest(local: LocalPlace, store: Store, epoch: Epoch) -> None:
    """Give the store what it lacks of an epoch.

    Raises JournalError if one of its segments is gone.
    """
    number, names = epoch.claim.epoch, list(epoch.segments)
    for n, name in enumerate(names):
        if name != segment_name(number, n):
            raise JournalError(f"{segment_name(number, n)} is missing, and there are later records")
    EpochUpload(local, store, number, sent=sum(epoch.segments.values()), segments=len(names)).run()


def _fetch_epoch(local: LocalPlace, epoch: Epoch) -> None:
    """Get an epoch as the one file that it is on this machine."""
    blocks = (block for name in epoch.segments for block in epoch.place.blocks(name))
    local.put(segment_name(epoch.claim.epoch, 0), b"".join(blocks))
