"""One more worker for an experiment that runs: how a driver lets its own user in, and how that one comes.

The way in is a file that only the user can read, outside of the experiment's folder, which others may read. The driver
holds a lock on it as long as it lives, so a file that a killed driver has left is known as such at once, and a guest
learns of the end of its driver without asking.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from maggy.engine.cores import thread_limits
from maggy.errors import EngineError, ExperimentDirError
from maggy.journal import ExperimentFolder
from maggy.journal.staging import user_cache
from maggy.ticket import GUEST_SEATS, Ticket
from maggy.worker.supervisor import Supervisor


class _Invitation(msgspec.Struct):
    """What a driver leaves for guests.

    ticket  of one of its own seats, as JSON
    cores   that a guest gets
    folder  in which the driver works; a guest works there too, where it exists
    """

    ticket: str
    cores: int
    folder: str


@contextmanager
def inviting(experiment: str, ticket: Ticket, resources: Mapping[str, float]) -> Iterator[None]:
    """Let this user's other processes join the experiment meanwhile.

    experiment  URL of its folder
    ticket      one of its tickets; nobody can join where it leads to no socket
    resources   what one worker needs; a guest gets that many cores, one where it does not say

    Where no file can be kept private nobody can join, and the experiment runs all the same.
    """
    path = _path(experiment)
    descriptor = None
    if ticket.server_key:
        with suppress(OSError):
            cores = int(resources.get("cpu", 1))
            descriptor = _post(path, _Invitation(ticket.to_json(), cores, os.getcwd()))
    try:
        yield
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)


def join(experiment_dir: str | os.PathLike[str]) -> None:
    """Work for an experiment that runs, from this machine, until it is over.

    One worker process is added, which gets its trials like any other. Ctrl-C or SIGTERM returns its trial and ends
    this. The driver has to be of the same user, with the same home directory, and reachable from here. Numerical
    libraries get as many threads as `resources_per_worker` says, else one; OMP_NUM_THREADS and the like, where they are
    set here, say more.

    experiment_dir  the experiment's folder, a path or a URL, as `lagom` names it

    Raises ExperimentDirError if no experiment is there, and EngineError if it is over, nobody can join it, its driver
    was killed or does not answer, or the training function cannot be loaded here.
    """
    folder = ExperimentFolder(experiment_dir)
    _refuse_what_does_not_run(folder)
    path = _path(folder.url)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        if _holds(folder, "result.json"):
            raise EngineError(f"{folder.url!r} is over: its result is there") from None
        raise EngineError(
            f"no driver of this user runs {folder.url!r}: there is no {str(path)!r}. Join as the user, and with the "
            f"home directory, of the process that called lagom"
        ) from None
    try:
        if _lock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB):
            path.unlink(missing_ok=True)
            raise EngineError(f"the driver of {folder.url!r} was killed, so there is nothing to join. Resume it first")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            invitation = msgspec.json.decode(file.read(), type=_Invitation)
        _work(invitation, descriptor)
    finally:
        os.close(descriptor)


def _work(invitation: _Invitation, descriptor: int) -> None:
    ticket = replace(Ticket.from_json(invitation.ticket), seat=GUEST_SEATS + secrets.randbits(32))
    folder = invitation.folder if Path(invitation.folder).is_dir() else None
    limits = {name: value for name, value in thread_limits(invitation.cores).items() if name not in os.environ}
    supervisor = Supervisor(ticket, limits, folder)
    watched = os.dup(descriptor)  # the thread may outlive this call; the lock is that of the open file

    def watch() -> None:
        _lock(watched, fcntl.LOCK_SH)
        os.close(watched)
        supervisor.leave("its driver is gone")

    threading.Thread(target=watch, name="maggy-watch", daemon=True).start()
    with supervisor.heeding_signals():
        supervisor.run()


def _refuse_what_does_not_run(folder: ExperimentFolder) -> None:
    if not _holds(folder, "experiment.json"):
        raise ExperimentDirError(f"{folder.url!r} holds no experiment")
    about = msgspec.json.decode(folder.read("experiment.json") or b"{}")  # empty while the experiment is being made
    whose = {
        "inline": "its one worker is the thread of lagom",
        "spark-driver": "its workers are threads of the program",
    }
    if (engine := about.get("engine")) in whose:
        raise EngineError(f"{folder.url!r} runs on the {engine} engine, which nobody can join: {whose[engine]}")


def _holds(folder: ExperimentFolder, name: str) -> bool:
    try:
        folder.read(name)
    except FileNotFoundError:
        return False
    return True


def _post(path: Path, invitation: _Invitation) -> int:
    """Write the file, and return the descriptor whose lock says that the driver lives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)  # an OSError unless it is the user's own
    partial = path.with_suffix(f".{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, msgspec.json.encode(invitation))
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        return False
    return True


def _path(experiment: str) -> Path:
    """Where the file for an experiment is; both sides derive it from the folder's URL."""
    url = experiment if "://" in experiment else os.path.realpath(experiment)
    return user_cache() / "tickets" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"
