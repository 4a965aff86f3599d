"""The folder for experiments, and the clock of whoever keeps it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from maggy.cli.doctor.finding import Findings
from maggy.journal import ExperimentFolder
from maggy.journal.staging import user_cache

_LEAST_BYTES = 1 << 30
_SLOW_SYNC_S = 0.1
_SKEW_S = 5.0


def look_at_folder(findings: Findings, url: str) -> None:
    """Whether experiments can be kept in a folder. What is tried out there is removed."""
    advice = "name another folder: maggy doctor DIR, experiment_dir= or --dir"
    with findings.looking("folder", "wrong", advice):
        folder = ExperimentFolder(f"{url.rstrip('/')}/.doctor-{secrets.token_hex(4)}")
        if folder.is_remote:
            _look_at_store(findings, folder, url)
            return
        missing = [path for path in (folder.local.parent, *folder.local.parent.parents) if not path.exists()]
        try:
            folder.local.mkdir(parents=True)
            _look_at_disk(findings, folder.local)
        finally:
            shutil.rmtree(folder.local, ignore_errors=True)
            for path in missing:
                with suppress(OSError):
                    path.rmdir()


def _look_at_disk(findings: Findings, path: Path) -> None:
    where = str(path.parent)
    file = path / "file"
    file.write_bytes(b"x" * 4096)
    written = time.time()
    file.rename(path / "renamed")
    free = shutil.disk_usage(path).free
    if free < _LEAST_BYTES:
        findings.add("folder", "warning", f"{where} has {free / 2**20:.0f} MiB left", "make room for checkpoints")
    else:
        findings.add("folder", "ok", f"{where} can be written, {free / 2**30:.3g} GiB free")
    _look_at_locks(findings, path / "renamed")
    _look_at_sync(findings, path / "renamed")
    skew = (path / "renamed").stat().st_mtime - written
    if abs(skew) > _SKEW_S:
        findings.add("clock", "warning", f"the clock of this file system is {skew:+.0f} s off", "have both use NTP")
    else:
        findings.add("clock", "ok", "this machine and the file system agree")


def _look_at_locks(findings: Findings, file: Path) -> None:
    advice = "make sure yourself that only one driver resumes an experiment at a time, or use a local folder"
    first, second = os.open(file, os.O_RDWR), os.open(file, os.O_RDWR)
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            findings.add("locks", "ok", "they hold: only one driver at a time can have an experiment")
        else:
            findings.add("locks", "warning", "this file system gives the same lock twice", advice)
    except OSError as error:
        findings.add("locks", "warning", f"this file system has none: {error}", advice)
    finally:
        os.close(first)
        os.close(second)


def _look_at_sync(findings: Findings, file: Path) -> None:
    took = []
    with file.open("ab") as open_file:
        for _ in range(3):
            open_file.write(b"x" * 512)
            open_file.flush()
            start = time.perf_counter()
            os.fsync(open_file.fileno())
            took.append(time.perf_counter() - start)
    middle = sorted(took)[1]
    if middle > _SLOW_SYNC_S:
        findings.add(
            "disk",
            "warning",
            f"it takes {1000 * middle:.0f} ms to bring a record to it",
            "a crash of the machine costs more; use a local disk, or an object store's URL",
        )
    else:
        findings.add("disk", "ok", f"a record is on it within {1000 * middle:.2g} ms")


def _look_at_store(findings: Findings, folder: ExperimentFolder, url: str) -> None:
    place = folder.place
    try:
        start = time.perf_counter()
        place.put("probe", b"maggy")
        if place.read("probe") != b"maggy":
            raise OSError(f"what was written to {url} is not what is read from there")
        took = time.perf_counter() - start
        findings.add("folder", "ok", f"{url} can be written; a small file there and back takes {1000 * took:.0f} ms")
        if place.put_new("probe", b"other"):
            findings.add(
                "locks",
                "warning",
                f"{url} lets two drivers write the same file",
                "make sure yourself that only one driver resumes an experiment at a time",
            )
        else:
            findings.add("locks", "ok", "a file that is there cannot be taken by another driver")
    finally:
        with suppress(Exception):
            place.remove("")


def look_at_cache(findings: Findings) -> None:
    """Where Maggy keeps what belongs to no experiment's folder."""
    cache = user_cache()
    with findings.looking(
        "cache",
        "warning",
        "let XDG_CACHE_HOME name a folder that can be written: `maggy join`, and experiments on object stores, need it",
    ):
        cache.mkdir(parents=True, exist_ok=True)
        probe = cache / f".doctor-{secrets.token_hex(4)}"
        probe.write_bytes(b"")
        probe.unlink()
        findings.add("cache", "ok", f"{cache} can be written")
