"""Copying a folder on this machine to a store.

The journal goes as segments that never change, because object stores cannot append; other files go whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from maggy.errors import ExperimentDirError, FencedError
from maggy.journal.epochs import Claim, read_claim, segment_name
from maggy.journal.places import LocalPlace, Store

_SEGMENT_LIMIT = 32 << 20  # bytes


class Upload:
    """What one driver has copied so far.

    claim  the driver's right to write there
    """

    def __init__(self, local: LocalPlace, store: Store, claim: Claim) -> None:
        self._local, self._store, self._claim = local, store, claim
        self._journal = EpochUpload(local, store, claim.epoch)
        self._files: dict[str, int] = {}

    def run(self) -> None:
        """Copy what is new since the last call.

        Raises FencedError if another driver has taken over, ExperimentDirError if somebody removed the experiment, and
        whatever the store raises. What failed is tried again by the next call.
        """
        self._check()
        self._journal.run()
        for name, changed_at in self._changed():
            self._store.put(name, self._local.read(name))
            self._files[name] = changed_at

    def _check(self) -> None:
        following = read_claim(self._store, self._claim.epoch + 1)
        own = read_claim(self._store, self._claim.epoch)
        for other in (following, own):
            if other is not None and other != self._claim:
                raise FencedError(f"another driver has taken over this experiment ({other})")
        if own is None:
            raise ExperimentDirError("somebody has removed the experiment from the store")

    def _changed(self) -> Iterator[tuple[str, int]]:
        for path in sorted(self._local.path.rglob("*")):
            name = path.relative_to(self._local.path).as_posix()
            if path.is_dir() or path.name.startswith(".") or name.startswith("journal/"):
                continue
            changed_at = path.stat().st_mtime_ns
            if self._files.get(name) != changed_at:
                yield name, changed_at


class EpochUpload:
    """Copies an epoch's one file on this machine to the store, as segments of whole records.

    sent, segments  bytes and segments of it that the store has already
    """

    def __init__(self, local: LocalPlace, store: Store, epoch: int, sent: int = 0, segments: int = 0) -> None:
        self._path = local.path / segment_name(epoch, 0)
        self._store, self._epoch, self._sent, self._segments = store, epoch, sent, segments

    def run(self) -> None:
        """Send what is new."""
        while fresh := self._fresh():
            self._store.put(segment_name(self._epoch, self._segments), fresh)
            self._sent += len(fresh)
            self._segments += 1

    def _fresh(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._sent)
                fresh = file.read(_SEGMENT_LIMIT)
        except FileNotFoundError:  # this driver has written nothing yet
            return b""
        return fresh[: fresh.rfind(b"\n") + 1]
