"""`python -m benchmarks.tuning`: partitioned tuning here and by Fugue-Tune 0.1.6, each in its own environment.

Both make the same call, each time in a fresh process, and have to find the same; who goes first swaps in every round.
Starting Python, Spark's session and a first search in two partitions are not counted. A table is printed; the JSON
file has every run. `make bench-environments` installs theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.facts import facts
from benchmarks.harness.markdown import number
from benchmarks.tuning.problem import ROWS, SHIFTS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PEER = ROOT / ".venv-bench" / "fugue-tune" / "bin" / "python"
SIDES = ("ours", "theirs")
TARGETS = {"spark": 10.0}
"""By engine: at least so many times as fast."""


@dataclass(frozen=True)
class Run:
    """One process.

    seconds     the search
    first_s     the search in two partitions before it, which loads code and starts Spark's Python workers
    candidates  how many were tried
    best        stands for what was found
    load        average number of runnable processes in the last minute
    """

    seconds: float
    first_s: float
    candidates: int
    best: str
    load: float

    @property
    def ms(self) -> float:
        """Milliseconds for a candidate."""
        return 1000 * self.seconds / self.candidates


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning", description="Maggy beside Fugue-Tune.")
    parser.add_argument("engines", nargs="*", default=["native", "spark"], help="native, spark; both by default")
    parser.add_argument("--partitions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="fewer than 3 are not to be quoted")
    parser.add_argument("--peer", type=Path, default=PEER, metavar="PYTHON")
    parser.add_argument("--out", type=Path, default=RESULTS / "tuning.json", metavar="FILE")
    parser.add_argument("--append", action="store_true", help="keep the comparisons that FILE has")
    arguments = parser.parse_args()
    known = facts()
    comparisons = json.loads(arguments.out.read_text())["comparisons"] if arguments.append else []
    pythons = {"ours": sys.executable, "theirs": str(arguments.peer)}
    for engine in arguments.engines:
        rounds = []
        for turn in range(arguments.rounds):
            sides = SIDES[:: -1 if turn % 2 else 1]
            done = {side: run(pythons[side], side, engine, arguments.partitions) for side in sides}
            if done["ours"].best != done["theirs"].best:
                raise SystemExit("the two have found different things")
            rounds.append(done)
            times = ", ".join(f"{side} {done[side].ms:.1f} ms" for side in SIDES)
            print(f"{engine}, round {number + 1} of {arguments.rounds}: {times}", file=sys.stderr, flush=True)
        comparisons.append(compared(engine, arguments.partitions, rounds))
    known |= {"load_after": os.getloadavg(), "comparisons": comparisons}
    known["theirs"] = versions(arguments.peer)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps(known, indent=2) + "\n")
    print(f"{table(comparisons)}\n\nms for a candidate, median (least-most); written to {arguments.out}")
    return 0


def run(python: str, side: str, engine: str, partitions: int) -> Run:
    """One process; raises RuntimeError with what it said if it fails."""
    done = subprocess.run(
        [python, "-W", "ignore", "-m", f"benchmarks.tuning.{side}", engine, str(partitions)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{side} failed:\n{done.stdout}\n{done.stderr}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def compared(engine: str, partitions: int, rounds: Sequence[Mapping[str, Run]]) -> dict[str, Any]:
    """One engine and size over all rounds. Ratios are taken within a round: what disturbed it disturbed both."""
    ratio = median(done["theirs"].ms / done["ours"].ms for done in rounds)
    target = TARGETS.get(engine)
    return {
        "engine": engine,
        "partitions": partitions,
        "candidates": partitions * len(SHIFTS),
        "rows_in_a_partition": ROWS,
        "ms_for_a_candidate": {side: [done[side].ms for done in rounds] for side in SIDES},
        "times_as_fast": ratio,
        "target": target,
        "met": None if target is None else ratio >= target,
        "rounds": [{side: asdict(done[side]) for side in SIDES} for done in rounds],
    }


def table(comparisons: Sequence[Mapping[str, Any]]) -> str:
    head = ["engine", "partitions", "candidates", "rounds", "ours", "Fugue-Tune", "times as fast", "target"]
    lines = [head, ["---"] * len(head)]
    for each in comparisons:
        ms = each["ms_for_a_candidate"]
        target = "-" if each["target"] is None else f"{each['target']:.0f}: {'met' if each['met'] else 'MISSED'}"
        sizes = [each["engine"], f"{each['partitions']:,}", f"{each['candidates']:,}", str(len(each["rounds"]))]
        lines.append([*sizes, spread(ms["ours"]), spread(ms["theirs"]), f"{each['times_as_fast']:.3g}", target])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float]) -> str:
    """Median, least and most over the rounds."""
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"


def versions(python: Path) -> dict[str, str]:
    """What is installed beside theirs."""
    freeze = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    wanted = {"tune", "fugue", "triad", "pyspark", "pandas", "numpy", "pyarrow"}
    pairs = (line.split("==") for line in freeze.splitlines() if "==" in line)
    return {name: there for name, there in pairs if name in wanted}


if __name__ == "__main__":
    sys.exit(main())
