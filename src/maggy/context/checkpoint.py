"""A checkpoint: the state of a training, written so that it is whole or not there, and checked when it is read.

Its folder holds `manifest.json`, and `state.pickle` or the folder `directory`. Of tensors that are sharded over the
ranks of a gang each rank writes its part, `shard-<rank>.pickle`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from zlib import crc32

import msgspec

from maggy.context.distributed import Alone, Gang
from maggy.context.distributed.agreement import together
from maggy.context.distributed.torch.sharding import Pickler, Unpickler, sharded, write_pieces
from maggy.context.store import LocalStore, Store, store_at
from maggy.context.task import modules_by_value
from maggy.errors import CheckpointError, MaggyError
from maggy.trial import Checkpoint

_MANIFEST, _STATE, _DIRECTORY = "manifest.json", "state.pickle", "directory"
_CHUNK_BYTES = 1 << 20


class _File(msgspec.Struct, frozen=True):
    """Size and CRC-32 of a file."""

    size: int
    crc32: int


class _Manifest(msgspec.Struct, frozen=True):
    """What a checkpoint consists of.

    files    by path in the checkpoint's folder
    folders  of a directory, so that empty ones come back too
    seconds  how long it took to write
    created  seconds since the epoch
    """

    kind: Literal["state", "directory"]
    step: int | None
    files: dict[str, _File]
    folders: list[str]
    seconds: float
    created: float


def place(trial: int, attempt: int, number: int) -> str:
    """Where a checkpoint lies in the experiment's folder. A late writer of an older attempt touches no newer one."""
    return f"trials/{trial}/checkpoints/{attempt}-{number}"


def attempt_at(name: str) -> int:
    """Whose attempt lies under the last part of a `place`, or is being written there; -1 for what is no checkpoint."""
    attempt = name.removeprefix(".").partition("-")[0]
    return int(attempt) if attempt.isdecimal() else -1


@dataclass(frozen=True)
class Loaded:
    """What a checkpoint held.

    state    what was saved, or the path of a directory with the same content
    step     the step it was saved at
    scratch  temporary folder that holds this directory, for the caller to remove
    """

    state: Any
    step: int | None
    scratch: Path | None = None


def save(url: str, state: Any, step: int | None, gang: Gang | None = None) -> int:
    """Write a checkpoint to a place of its own; return its size in bytes, on rank 0.

    state  any object that pickle knows; a str or a path names a directory, which is copied whole
    gang   whose ranks save, all the same state: rank 0 writes it, and where it holds sharded tensors the others write
           their parts, which takes all of them; None: a worker alone

    Raises CheckpointError if it cannot be pickled, is no directory, or cannot be written by all who should. Raises
    PeerLostError where another rank does not come.
    """
    gang = gang or Alone()
    tensors = sharded(state, gang.size)
    if gang.rank > 0 and not tensors:
        return 0
    directory = Path(state) if isinstance(state, str | os.PathLike) else None
    if directory is not None and not directory.is_dir():
        raise CheckpointError(
            f"save_checkpoint was given {os.fspath(state)!r}, which is no directory; a text or a path names a "
            f"directory, anything else is saved itself, e.g. {{'path': {os.fspath(state)!r}}}",
            url=url,
        )
    try:
        return _write(
            store_at(url), state if directory is None else directory, step, gang if tensors else Alone(), tensors
        )
    except MaggyError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise CheckpointError(
            f"the checkpoint {url} cannot be written: {type(error).__name__}: {error}. Make room there, or name a "
            f"folder that workers can write with experiment_dir=; checkpoint_quota_bytes= limits what is kept",
            url=url,
        ) from error


def load(url: str, *, in_place: bool = False, spread: bool = False) -> Loaded:
    """Read a checkpoint; every byte is checked before any of it is used.

    in_place  a directory on this machine is returned itself; else a copy in a temporary folder
    spread    tensors that were sharded are again, over the processes that now train together; else they are plain ones

    Raises CheckpointError if it is not there, is damaged, or cannot be unpickled here.
    """
    store = _open(url)
    manifest = _read_manifest(store, url)
    local = isinstance(store, LocalStore)
    copied = not local or (manifest.kind == "directory" and not in_place)
    base = Path(tempfile.mkdtemp(prefix="maggy-checkpoint-")) if copied else Path(url)
    keep = False
    try:
        for name, facts in manifest.files.items():
            _check_file(store, url, name, facts, base / name if copied else None)
        if manifest.kind == "state":
            shards = [base / _shard(rank) for rank in range(len(manifest.files) - 1)]
            return Loaded(_unpickle(base / _STATE, shards, url, spread), manifest.step)
        for name in ("", *manifest.folders):
            (base / _DIRECTORY / name).mkdir(parents=True, exist_ok=True)
        keep = copied
        return Loaded(base / _DIRECTORY, manifest.step, base if copied else None)
    finally:
        if copied and not keep:
            shutil.rmtree(base, ignore_errors=True)


def load_checkpoint(checkpoint: Checkpoint | str | os.PathLike[str]) -> Any:
    """What a trial saved, e.g. `load_checkpoint(result.best.checkpoint)`.

    checkpoint  of a trial, or its path or URL

    Returns the state; or the path of the directory: the checkpoint's own where it lies on this machine, so only read
    it; else a copy that lives as long as this process.

    Loading a state runs code that it names, as with any pickle: load only what you trust.

    Raises CheckpointError if it is not there, is damaged, or needs what cannot be imported here.
    """
    loaded = load(checkpoint.url if isinstance(checkpoint, Checkpoint) else os.fspath(checkpoint), in_place=True)
    if loaded.scratch is not None:
        atexit.register(shutil.rmtree, loaded.scratch, ignore_errors=True)
    return loaded.state


# --- writing


class _Tallied:
    """A file that counts what is written to it, and what its checksum is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = self.crc32 = 0

    def write(self, data: Any) -> None:
        self.size += memoryview(data).nbytes
        self.crc32 = crc32(data, self.crc32)
        try:
            self._file.write(data)
        except OSError:
            raise
        except Exception as error:  # of the store, which must not be taken for one of the pickled object
            raise OSError(f"{type(error).__name__}: {error}") from error

    def facts(self) -> _File:
        return _File(self.size, self.crc32)


def _write(store: Store, state: Any, step: int | None, gang: Gang, tensors: Sequence[Any]) -> int:
    """Write a checkpoint; the ranks of the gang, each its files. Return its size in bytes, on rank 0."""
    begun = time.perf_counter()
    files: dict[str, _File] = {}
    folders, names = _walk(state) if isinstance(state, Path) else ([], [])

    def write() -> tuple[int, int] | None:
        if gang.rank == 0:
            files.update(_copy(state, names, store) if isinstance(state, Path) else _save_state(store, state, tensors))
        return _save_pieces(store, tensors, gang) if tensors else None

    def commit() -> None:
        manifest = _Manifest(
            kind="directory" if isinstance(state, Path) else "state",
            step=step,
            files=files,
            folders=folders,
            seconds=time.perf_counter() - begun,
            created=time.time(),
        )
        with closing(store.create(_MANIFEST)) as file:
            file.write(msgspec.json.encode(manifest))
            store.close(file)
        store.commit()

    first = gang.rank == 0
    try:
        together(gang, "begin a checkpoint", store.begin if first else _wait, CheckpointError)
        pieces = together(gang, "write a checkpoint", write, CheckpointError)
        files |= {_shard(rank): _File(int(size), int(crc)) for rank, (size, crc) in enumerate(filter(None, pieces))}
        together(gang, "commit a checkpoint", commit if first else _wait, CheckpointError)
    except BaseException:
        if first:
            store.abort()
        raise
    return sum(file.size for file in files.values())


def _wait() -> None:
    """The step of a rank that has nothing to do but to wait for rank 0."""


def _save_state(store: Store, state: Any, tensors: Sequence[Any]) -> Iterator[tuple[str, _File]]:
    with closing(store.create(_STATE)) as file:
        tallied = _Tallied(file)
        try:
            with modules_by_value():  # classes of a script, and of modules beside it, are on no other machine
                Pickler(tallied, tensors).dump(state)
        except (OSError, CheckpointError):
            raise
        except Exception as error:  # a __reduce__ may raise anything
            raise CheckpointError(
                f"save_checkpoint was given {type(state).__name__}, which cannot be pickled ({type(error).__name__}: "
                f"{error}). Save plain values, e.g. model.state_dict(), or write files and save their directory"
            ) from error
        store.close(file)
    yield _STATE, tallied.facts()


def _save_pieces(store: Store, tensors: Sequence[Any], gang: Gang) -> tuple[int, int]:
    """Write what this rank has of sharded tensors; return size and CRC-32 of the file."""
    with closing(store.create(_shard(gang.rank))) as file:
        tallied = _Tallied(file)
        write_pieces(tensors, tallied, gang.size)
        store.close(file)
    return tallied.size, tallied.crc32


def _shard(rank: int) -> str:
    return f"shard-{rank}.pickle"


def _copy(directory: Path, names: Iterable[str], store: Store) -> Iterator[tuple[str, _File]]:
    for name in names:
        if not (directory / name).is_file():
            raise CheckpointError(f"save_checkpoint cannot copy {directory / name}, which is no file")
        with (directory / name).open("rb") as source, closing(store.create(f"{_DIRECTORY}/{name}")) as file:
            tallied = _Tallied(file)
            while chunk := source.read(_CHUNK_BYTES):
                tallied.write(chunk)
            store.close(file)
        yield f"{_DIRECTORY}/{name}", tallied.facts()


def _walk(directory: Path) -> tuple[list[str], list[str]]:
    """Folders and files below a directory, by relative path. Links are followed."""
    folders, files = [], []
    for parent, names, leaves in os.walk(directory, followlinks=True):
        place = Path(parent).relative_to(directory)
        folders += [(place / name).as_posix() for name in names]
        files += [(place / name).as_posix() for name in leaves]
    return folders, files


# --- reading


def _open(url: str) -> Store:
    try:
        return store_at(url)
    except Exception as error:
        raise CheckpointError(f"the checkpoint {url} cannot be read: {error}", url=url) from error


def _read_manifest(store: Store, url: str) -> _Manifest:
    try:
        with store.open(_MANIFEST) as file:
            return msgspec.json.decode(file.read(), type=_Manifest)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint at {url}: it holds no {_MANIFEST}", url=url) from error
    except msgspec.MsgspecError as error:
        raise _damaged(url, _MANIFEST, str(error)) from error
    except Exception as error:
        raise _unreadable(url, _MANIFEST, error) from error


def _check_file(store: Store, url: str, name: str, facts: _File, copy: Path | None) -> None:
    """Compare a file with what the manifest says of it; copy it on the way where a path is given."""
    if copy is not None:
        copy.parent.mkdir(parents=True, exist_ok=True)
    size = checksum = 0
    try:
        with store.open(name) as source, Path(os.devnull if copy is None else copy).open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                size += len(chunk)
                checksum = crc32(chunk, checksum)
                target.write(chunk)
    except FileNotFoundError as error:
        raise _damaged(url, name, "it is missing") from error
    except Exception as error:
        raise _unreadable(url, name, error) from error
    if size != facts.size:
        raise _damaged(url, name, f"it has {size} bytes in place of {facts.size}")
    if checksum != facts.crc32:
        raise _damaged(url, name, "its checksum does not match")


def _unpickle(path: Path, shards: Iterable[Path], url: str, spread: bool) -> Any:
    try:
        with ExitStack() as opened:
            state, *pieces = [opened.enter_context(each.open("rb")) for each in (path, *shards)]
            return Unpickler(state, pieces, spread=spread).load()
    except Exception as error:  # whatever the state's classes raise
        raise CheckpointError(
            f"the checkpoint {url} is whole but cannot be loaded here: {type(error).__name__}: {error}. What it was "
            f"made of has to be importable",
            url=url,
            file=_STATE,
        ) from error


def _damaged(url: str, name: str, why: str) -> CheckpointError:
    return CheckpointError(f"the checkpoint {url} is damaged: {name}: {why}", url=url, file=name)


def _unreadable(url: str, name: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint {url} cannot be read: {name}: {type(error).__name__}: {error}", url=url, file=name
    )
