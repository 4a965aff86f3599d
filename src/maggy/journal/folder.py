"""An experiment's folder: where it lies, and how its files get there.

Every file is written on this machine first. Where the folder's URL names another place, `upload` copies what is new:
the journal as immutable segments, because object stores cannot append, other files whole.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maggy.errors import ExperimentDirError

_MARK = "experiment.json"


class ExperimentFolder:
    """A folder that holds one experiment.

    url        where it is, as the user knows it
    local      the folder on this machine that is written
    is_remote  whether `local` has to be copied to `url`
    upload_error  why the last copy failed, if it did
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        try:
            self._fs, self._root = fsspec.core.url_to_fs(os.fspath(url))
        except (ValueError, ImportError) as error:
            raise ExperimentDirError(f"experiment_dir {os.fspath(url)!r} cannot be used: {error}") from error
        self.is_remote = not isinstance(self._fs, LocalFileSystem)
        self.local = _staging(os.fspath(url)) if self.is_remote else Path(self._root)
        self.url = os.fspath(url) if self.is_remote else str(self.local)
        self._was_empty = True
        self.upload_error: Exception | None = None
        self._uploaded: dict[str, int] = {}
        self._journal_uploaded = 0
        self._segment = 0

    @classmethod
    def create(cls, url: str | os.PathLike[str] | None, name: str) -> ExperimentFolder:
        """Make the folder for a new experiment and show that it can be written.

        url   None: the next free number under ./maggy-runs/<name>

        Raises ExperimentDirError if it holds an experiment already or cannot be written.
        """
        folder = cls(url) if url is not None else cls(_next_free(Path("maggy-runs") / _as_path(name)))
        taken = ExperimentDirError(
            f"experiment_dir {folder.url!r} already holds an experiment; name another folder, or leave "
            f"experiment_dir out to get a fresh one"
        )
        try:
            if folder._fs.exists(f"{folder._root}/{_MARK}"):
                raise taken
            folder._was_empty = not folder._fs.exists(folder._root) or not folder._fs.ls(folder._root)
            if folder.is_remote:
                shutil.rmtree(folder.local, ignore_errors=True)  # left by an experiment that is no longer there
            folder.local.mkdir(parents=True, exist_ok=True)
            try:
                (folder.local / _MARK).touch(exist_ok=False)
            except FileExistsError:  # somebody was faster
                raise taken from None
            if folder.is_remote:
                folder._fs.makedirs(folder._root, exist_ok=True)
                folder._fs.touch(f"{folder._root}/{_MARK}")
        except ExperimentDirError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise ExperimentDirError(
                f"experiment_dir {folder.url!r} cannot be written: {error}. Name a folder that the driver may write, "
                f"e.g. experiment_dir='/tmp/maggy/{_as_path(name)}'"
            ) from error
        return folder

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file, or replace it in one step."""
        path = self.local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(data)
        partial.replace(path)

    def read(self, name: str) -> bytes:
        """A whole file, from where the user knows the folder to be."""
        data: bytes = self._fs.cat_file(f"{self._root}/{name}")
        return data

    def discard(self) -> None:
        """Remove what an experiment that never started has made; what lay in its folder before stays."""
        if not self._was_empty:
            self._fs.rm_file(f"{self._root}/{_MARK}")
        elif self.is_remote:
            self._fs.rm(self._root, recursive=True)
        if self._was_empty or self.is_remote:
            shutil.rmtree(self.local, ignore_errors=True)

    def close(self) -> None:
        """Nothing is written any more."""
        if self.is_remote:
            self.upload()

    def segments(self) -> Iterator[bytes]:
        """The journal's bytes, in order."""
        for path in sorted(self._fs.glob(f"{self._root}/journal/*.jsonl")):
            yield self._fs.cat_file(path)

    def upload(self) -> None:
        """Copy to the remote place what is new since the last call. What fails is tried again the next time."""
        try:
            for path in sorted(self.local.rglob("*")):
                self._upload_file(path)
            self.upload_error = None
        except Exception as error:  # each file system has errors of its own
            self.upload_error = error

    def _upload_file(self, path: Path) -> None:
        name = path.relative_to(self.local).as_posix()
        if path.is_dir() or path.name.endswith(".partial"):
            return
        if name.startswith("journal/"):
            self._upload_segment(path)
            return
        changed_at = path.stat().st_mtime_ns
        if self._uploaded.get(name) != changed_at:
            self._put(name, path.read_bytes())
            self._uploaded[name] = changed_at

    def _upload_segment(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._journal_uploaded)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        if whole:
            self._put(f"journal/{self._segment:08}.jsonl", whole)
            self._journal_uploaded += len(whole)
            self._segment += 1

    def _put(self, name: str, data: bytes) -> None:
        target = f"{self._root}/{name}"
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._fs.pipe_file(target, data)


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


def _staging(url: str) -> Path:
    """Where a remote folder is written first: private to the user and derived from the URL."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "maggy" / "staging" / hashlib.sha256(url.encode()).hexdigest()[:16]


def to_json(value: Any) -> bytes:
    """JSON for people: indented, ending with a line feed."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"
