"""An experiment's folder: where it lies, who may write it, and how its files get there.

Every file is written on this machine first. Where the folder's URL names another place, `upload` copies what is new.
"""

from __future__ import annotations

import itertools
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from maggy.errors import ExperimentDirError, FencedError, JournalError
from maggy.journal import staging
from maggy.journal.epochs import Claim, Epoch, claim_name, epochs_of, read_claim, records_of, segment_name
from maggy.journal.lock import Held, Lock
from maggy.journal.places import LocalPlace, Place, Store
from maggy.journal.upload import Upload

_MARK = "experiment.json"


class ExperimentFolder:
    """A folder that holds one experiment, from `create`, `resume` or `open`.

    url        where it is, as the user knows it
    local      the folder on this machine that is written
    is_remote  whether `local` has to be copied to `url`
    place      the folder at `url`, for readers
    id         tells the experiment from others that were at the same URL
    epoch      how many drivers have worked on the experiment before this one
    records    how many records those have left, so the number of this driver's first
    upload_error  why the last copy failed, if it did
    fenced     set when another driver has taken over
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        where = _where(os.fspath(url))
        self._store = where if isinstance(where, Store) else None
        self.is_remote = self._store is not None
        self.local = where if isinstance(where, Path) else staging.path_of(os.fspath(url))
        self.url = os.fspath(url) if self.is_remote else str(self.local)
        self._here = LocalPlace(self.local)
        self.place: Place = self._store or self._here
        self.id, self.epoch, self.records = "", 0, 0
        self._was_empty = False
        self._lock: Lock | None = None
        self._upload: Upload | None = None
        self._uploading = threading.Lock()
        self.upload_error: Exception | None = None
        self.fenced: FencedError | None = None

    @classmethod
    def create(cls, url: str | os.PathLike[str] | None, name: str) -> ExperimentFolder:
        """Make the folder for a new experiment and show that it can be written.

        url   None: the next free number under ./maggy-runs/<name>

        Raises ExperimentDirError if it holds an experiment already or cannot be written.
        """
        folder = cls(url) if url is not None else cls(_next_free(Path("maggy-runs") / _as_path(name)))
        try:
            folder._begin()
        except BaseException as error:
            folder._release()
            if isinstance(error, ExperimentDirError) or not isinstance(error, Exception):
                raise
            raise ExperimentDirError(  # each file system has errors of its own
                f"experiment_dir {folder.url!r} cannot be written: {error}. Name a folder that the driver may write, "
                f"e.g. experiment_dir='/tmp/maggy/{_as_path(name)}'"
            ) from error
        return folder

    @classmethod
    def resume(cls, url: str | os.PathLike[str]) -> ExperimentFolder:
        """Take over an experiment, to go on with it in the next epoch.

        Raises ExperimentDirError if there is no experiment, its driver still runs, or it cannot be read or written;
        JournalError if its journal is damaged.
        """
        folder = cls(url)
        try:
            folder._go_on()
        except BaseException as error:
            folder._release()
            if isinstance(error, ExperimentDirError | JournalError) or not isinstance(error, Exception):
                raise
            raise ExperimentDirError(f"the experiment in {folder.url!r} cannot be resumed: {error}") from error
        return folder

    @classmethod
    def open(cls, url: str | os.PathLike[str]) -> ExperimentFolder:
        """Look at an experiment, also while its driver runs. Nothing may be written.

        Raises ExperimentDirError if there is none or it cannot be read, JournalError if a claim is damaged.
        """
        folder = cls(url)
        last = folder._find()[-1].claim
        folder.id, folder.epoch, folder.records = last.experiment, last.epoch, last.records
        return folder

    # --- files

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file, or replace it in one step."""
        self._here.put(name, data)

    def read(self, name: str) -> bytes:
        """A whole file, from where the user knows the folder to be."""
        return self.place.read(name)

    def segments(self) -> Iterator[bytes]:
        """The journal's bytes, in order."""
        for epoch in epochs_of(self.place):
            for name in epoch.segments:
                yield self.place.read(name)

    def upload(self) -> None:
        """Copy to the remote place what is new since the last call. What fails is tried again the next time.

        Nothing is copied any more once another driver has taken over; `fenced` says so.
        """
        with self._uploading:
            if self._upload is None or self.fenced is not None:
                return
            try:
                self._upload.run()
                self.upload_error = None
            except FencedError as error:
                self.fenced = self.upload_error = error
            except Exception as error:  # each file system has errors of its own
                self.upload_error = error

    def look_for_successor(self) -> None:
        """Set `fenced` if the next epoch is claimed in the folder on this machine.

        The lock prevents that, except on a network file system whose locks do not reach the other machine.
        """
        try:
            following = read_claim(self._here, self.epoch + 1)
        except (OSError, JournalError):
            return
        if following is not None:
            self.fenced = FencedError(f"another driver has taken over this experiment ({following})")

    # --- the end

    def discard(self) -> None:
        """Remove what an experiment that never started has made; what lay in its folder before stays.

        An experiment that was resumed stays.
        """
        if self.epoch == 0:
            if self._was_empty:
                self.place.remove("")
            else:
                for name in (_MARK, claim_name(0), ".lock"):
                    self.place.remove(name)
            if self.is_remote:
                self._here.remove("")
        self._release()

    def close(self) -> None:
        """Nothing is written any more. What a store has in full is not kept on this machine."""
        if self._lock is None:
            return
        if self.is_remote:
            self.upload()
            if self.upload_error is None:
                self._here.remove("")
        if self.fenced is None:
            with suppress(OSError):
                self._here.remove(".lock")
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # --- the beginning

    def _begin(self) -> None:
        taken = ExperimentDirError(
            f"experiment_dir {self.url!r} already holds an experiment; name another folder, or leave "
            f"experiment_dir out to get a fresh one"
        )
        if self.place.exists(_MARK) or self.place.exists(claim_name(0)):
            raise taken
        self._was_empty = self.place.is_empty()
        if self._store is not None:
            self._clear_staging()
        else:
            self.local.mkdir(parents=True, exist_ok=True)
            try:
                self._lock = Lock(self.local)
            except Held:  # somebody was faster
                raise taken from None
        self.id = secrets.token_hex(8)
        self._claim(taken)
        self.write(_MARK, b"")

    def _find(self) -> list[Epoch]:
        """The experiment at `url`."""
        try:
            epochs = epochs_of(self.place)
            found = bool(epochs) or self.place.exists("")
        except JournalError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise ExperimentDirError(f"{self.url!r} cannot be read: {error}") from error
        if not found:
            raise ExperimentDirError(f"there is no folder {self.url!r}")
        if not epochs:
            raise ExperimentDirError(f"{self.url!r} holds no experiment")
        return epochs

    def _go_on(self) -> None:
        self._find()
        if self._store is not None:
            staging.make(self.local)
        self._take_lock()
        epochs = self._find()  # again, now that nobody here changes it
        if self._store is not None and not staging.fetch_missing(self._here, epochs):
            self._clear_staging()
            staging.fetch_all(self._here, self._store, epochs)
        here = epochs_of(self._here)
        last = here[-1].claim
        _cut(here[-1], self.local / segment_name(last.epoch, 0))
        self.id, self.epoch, self.records = last.experiment, last.epoch + 1, sum(1 for _ in records_of(here))
        if self._store is not None:
            staging.send_rest(self._here, self._store, epochs[-1])
        if not self._here.exists(_MARK) or not self._here.read(_MARK):
            raise ExperimentDirError(f"{self.url!r} holds an experiment that never started: remove it")
        self._claim(ExperimentDirError(f"another driver is resuming the experiment in {self.url!r} at this moment"))

    def _claim(self, refusal: ExperimentDirError) -> None:
        claim = Claim.make(self.epoch, self.records, self.id)
        if not self.place.put_new(claim.name, claim.to_bytes()):
            raise refusal
        if self._store is not None:
            self._here.put_new(claim.name, claim.to_bytes())
            self._upload = Upload(self._here, self._store, claim)

    def _take_lock(self) -> None:
        try:
            self._lock = Lock(self.local)
        except Held as owner:
            raise ExperimentDirError(
                f"the experiment in {self.url!r} is still running ({owner}): stop it first"
            ) from None

    def _clear_staging(self) -> None:
        if self._lock is None:
            staging.make(self.local)
            self._take_lock()
        staging.set_aside(self.local)
        self._release()
        staging.make(self.local)
        self._take_lock()


def _where(url: str) -> Path | Store:
    """A folder on this machine, or one on a store. A plain path loads no fsspec."""
    if ":" not in url:
        return Path(os.path.expanduser(url)).absolute()  # noqa: PTH111  # that of pathlib raises for nobody's home
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    try:
        fs, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ExperimentDirError(f"experiment_dir {url!r} cannot be used: {error}") from error
    return Path(root) if isinstance(fs, LocalFileSystem) else Store(fs, root)


def _cut(epoch: Epoch, path: Path) -> None:
    """Cut off a record that its driver wrote by half, and bring the others to disk: the next claim builds on them."""
    if not epoch.segments:
        return
    whole = sum(len(line) + 1 for line in epoch.lines())
    with path.open("rb+") as file:
        file.truncate(whole)
        os.fsync(file.fileno())


def _as_path(name: str) -> str:
    """An experiment's name as one folder name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip(".") or "experiment"


def _next_free(parent: Path) -> Path:
    """The first number under `parent` that nobody has; made at once, so that two drivers never share one."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        taken = [int(entry.name) for entry in parent.iterdir() if entry.name.isdecimal()]
        for number in itertools.count(max(taken, default=0) + 1):
            try:
                (parent / str(number)).mkdir()
                return (parent / str(number)).absolute()
            except FileExistsError:
                continue
    except OSError as error:
        raise ExperimentDirError(
            f"no experiment folder can be made under {str(parent.absolute())!r}: {error}. Start from a folder that can "
            f"be written, or name one with experiment_dir="
        ) from error
    raise AssertionError("there is always a next number")


def to_json(value: Any) -> bytes:
    """JSON for people: indented, ending with a line feed."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"
