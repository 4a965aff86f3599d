"""Drivers that write a journal, in this process and in others that can be killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from maggy.brain.events import Idled
from maggy.journal import ExperimentFolder, JournalWriter, read

_DRIVER = """
import sys
from maggy.brain.events import Idled
from maggy.journal import ExperimentFolder, JournalWriter

url, how, count = sys.argv[1:]
if how == "create":
    folder = ExperimentFolder.create(url, "MNIST")
    folder.write("experiment.json", b"{}")
else:
    folder = ExperimentFolder.resume(url)
writer = JournalWriter(folder, folder.records)
for n in range(int(count)):
    writer.append(Idled(ask=folder.records + n), 0.0)
writer.flush()
print("written", flush=True)
sys.stdin.read()
"""


def begin(url: object) -> ExperimentFolder:
    """A new experiment that has said what it is."""
    folder = ExperimentFolder.create(str(url), "MNIST")
    folder.write("experiment.json", b'{"name": "MNIST"}')
    return folder


def add(folder: ExperimentFolder, count: int) -> None:
    """Write the epoch's records, each of which names its number."""
    writer = JournalWriter(folder, folder.records)
    for n in range(count):
        writer.append(Idled(ask=folder.records + n), 0.0)
    writer.close()


def asks(folder: ExperimentFolder) -> list[int]:
    """What a journal of `add` holds."""
    return [record.event.ask for record in read(folder)]


def write_until_refused(writer: JournalWriter) -> None:
    """Go on as a driver does, for at most a minute. The helper looks around after each sync."""
    patience = threading.Event()
    for n in range(6000):
        writer.append(Idled(ask=n), 0.0)
        writer.flush()
        writer.sync_soon()
        patience.wait(0.01)


@contextmanager
def driver(url: object, how: str, count: int) -> Iterator[subprocess.Popen[str]]:
    """A driver in a process of its own that has written `count` records and lives until it is killed."""
    command = [sys.executable, "-c", _DRIVER, str(url), how, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "written\n"
            yield process
        finally:
            process.kill()
