"""The trial that all contestants run, and the lines that it leaves. Only the standard library."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

WORKERS = 2
TRIALS = 24
TRIAL_S = 4.0
SHORT_TRIAL_S = 1.0
"""What a trial takes where the driver is killed, and some have to end before."""

STEP_S = 0.05


def train(
    folder: str | Path, trial: int, report: Callable[[int], object] | None = None, seconds: float = TRIAL_S
) -> float:
    """A trial that sleeps, in steps, until its time or the experiment is over, and says when it begins and ends."""
    note(folder, "begin", trial)
    until = time.time() + seconds
    for step in count():
        if time.time() >= until or is_over(folder):
            break
        time.sleep(STEP_S)
        if report is not None:
            report(step)
    note(folder, "end", trial)
    return float(trial)


def note(folder: str | Path, what: str, trial: int) -> None:
    """Append a line; those of several processes stay apart."""
    line = json.dumps({"what": what, "trial": trial, "pid": os.getpid(), "at": time.time()})
    file = os.open(Path(folder, "lines"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


def end(folder: str | Path) -> None:
    """All trials leave at once from here on."""
    Path(folder, "over").touch()


def is_over(folder: str | Path) -> bool:
    return Path(folder, "over").exists()


@dataclass
class Attempt:
    """A trial that ran, once."""

    trial: int
    pid: int
    began_at: float
    ended_at: float = inf

    def runs(self) -> bool:
        """Whether it still does."""
        return self.ended_at == inf and is_alive(self.pid)


def attempts(folder: str | Path) -> list[Attempt]:
    """All that there were so far, in the order in which they began."""
    path = Path(folder, "lines")
    found: list[Attempt] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        said = json.loads(line)
        if said["what"] == "begin":
            found.append(Attempt(said["trial"], said["pid"], said["at"]))
        else:
            last = next(each for each in reversed(found) if (each.trial, each.pid) == (said["trial"], said["pid"]))
            last.ended_at = said["at"]
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def parent(pid: int) -> int:
    """The process that has started this one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ancestor(pid: int, named: str) -> int:
    """The nearest process above whose command line has such a word.

    Raises LookupError if there is none.
    """
    while (pid := parent(pid)) > 1:
        if named in Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"):
            return pid
    raise LookupError(f"nothing above has {named!r} in its command line")


@dataclass(frozen=True)
class Kill:
    """What ran that trial was killed then."""

    trial: int
    pid: int
    at: float


def aftermath(
    kills: Sequence[Kill], ran: Sequence[Attempt], noticed_at: Sequence[float] = ()
) -> list[dict[str, float]]:
    """Seconds from each kill to what followed, as far as it did.

    detect  until somebody noticed
    rerun   until the first line of the trial's next attempt
    full    until as many trials ran at the same time as before
    """
    ended = [
        replace(each, ended_at=min([each.ended_at, *(kill.at for kill in kills if kill.pid == each.pid)]))
        for each in ran
    ]
    found = []
    for kill in kills:
        begun = [each for each in ended if each.began_at > kill.at]
        at = {
            "detect": [at for at in noticed_at if at >= kill.at],
            "rerun": [each.began_at for each in begun if each.trial == kill.trial],
            "full": [each.began_at for each in begun if running_at(each.began_at, ended) >= WORKERS],
        }
        found.append({key: min(several) - kill.at for key, several in at.items() if several})
    return found


def running_at(at: float, ran: Iterable[Attempt]) -> int:
    """How many attempts ran then."""
    return sum(each.began_at <= at < each.ended_at for each in ran)


def answer(**figures: Any) -> None:
    """Print what was measured, as the last line."""
    print(json.dumps(figures), flush=True)
