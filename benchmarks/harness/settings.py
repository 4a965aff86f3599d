"""What a benchmark is asked for, and the environments in which contestants run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
ENVIRONMENTS = {"maggy": ROOT / ".venv", "engines": ROOT / ".venv-engines"}
"""Those that others use too; that of a peer lies in `.venv-bench/` and has what `environments/<peer>.txt` says."""

PLAIN = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
"""Set for contestants: one thread for each, and modules are compiled once, as those of installed packages are."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much is measured.

    full    `make bench-full`; else `make bench`, which has minutes for all tables
    folder  for what a run writes: on the disk, as a user's experiments are
    """

    full: bool
    folder: Path

    def pick(self, full: T, short: T) -> T:
        """A number of rounds, trials or seconds."""
        return full if self.full else short

    def say(self, line: str) -> None:
        """Tell whoever waits what is going on."""
        print(f"  {line}", file=sys.stderr, flush=True)


def python_of(environment: str) -> Path:
    """The interpreter of an environment: "maggy", "engines", or a peer's.

    Raises SystemExit if it is not installed.
    """
    path = ENVIRONMENTS.get(environment, ROOT / ".venv-bench" / environment) / "bin" / "python"
    if not path.exists():
        if environment == "maggy":
            return Path(sys.executable)
        raise SystemExit(
            f"the environment of {environment} is not installed: `make bench-environments` makes all of them"
        )
    return path


def run_json(
    environment: str, module: str, *arguments: object, timeout_s: float, env: Mapping[str, str] | None = None
) -> Any:
    """Run `python -m module arguments` in an environment, in a fresh process; what its last line says, as JSON.

    Raises RuntimeError with what it printed if it fails or takes too long.
    """
    command = [str(python_of(environment)), "-W", "ignore", "-m", module, *map(str, arguments)]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)]) if environment in ENVIRONMENTS else str(ROOT)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **PLAIN, "PYTHONPATH": path, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        out, err = end_group(process)
        raise RuntimeError(f"{module} took longer than {timeout_s:g} s:\n{out[-2000:]}\n{err[-4000:]}") from None
    except BaseException:
        end_group(process)
        raise
    if process.returncode != 0:
        why = next(reversed(err.strip().splitlines()), "")  # the first line alone gets onto the page
        raise RuntimeError(f"{module} failed with {process.returncode}: {why}\n{out[-2000:]}\n{err[-4000:]}")
    try:
        return json.loads(out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"{module} answered nothing that can be read:\n{out[-2000:]}\n{err[-4000:]}") from None


def end_group(process: subprocess.Popen[str]) -> tuple[str, str]:
    """End a process that leads a session, and all that it started there; what it had said."""
    import signal

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return process.communicate()


def in_turn(
    rounds: int, names: Sequence[str], run: Callable[[str], T], failed: Callable[[str, str], None]
) -> dict[str, list[T]]:
    """Run everybody once in each round, each round in another order; what each answered, by round.

    failed  called with a name and what went wrong; whoever fails is left out from then on
    """
    answers: dict[str, list[T]] = {name: [] for name in names}
    out: set[str] = set()
    for number in range(rounds):
        shift = number * len(names) // max(1, rounds)
        turn = [*names[shift:], *names[:shift]]
        for name in turn if number % 2 == 0 else reversed(turn):
            if name in out:
                continue
            try:
                answers[name].append(run(name))
            except RuntimeError as error:
                out.add(name)
                failed(name, str(error))
    return answers
