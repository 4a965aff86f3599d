"""`python -m benchmarks.torchrun`: one training on two workers through Maggy, beside PyTorch's own launcher.

Each round has three runs in an order that is drawn: ours, torchrun, and torchrun again as a control. Ours is within
the control if the median of its ratio to torchrun lies between the quartiles of the ratio of torchrun to itself. A
table is printed; the JSON file has every run. Takes ten minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.facts import facts
from benchmarks.torchrun import WORKERS
from benchmarks.torchrun.rounds import QUANTITIES, Run, compare, document, play, table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torchrun", description="Maggy beside torchrun.")
    parser.add_argument("--rounds", type=int, default=20, help="at least 2; fewer than 20 are not to be quoted")
    parser.add_argument("--seed", type=int, default=0, help="of the order within rounds")
    parser.add_argument("--out", type=Path, default=RESULTS / "torchrun.json", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error("--rounds: at least 2")
    known = facts()
    RESULTS.mkdir(exist_ok=True)
    rounds = []
    with TemporaryDirectory(prefix="runs-", dir=RESULTS) as folder:
        for done in play(arguments.rounds, arguments.seed, lambda side: run(side, Path(folder))):
            rounds.append(done)
            walls = ", ".join(f"{side} {done[side].wall_s:.2f} s" for side in done)
            print(f"round {len(rounds)} of {arguments.rounds}: {walls}", file=sys.stderr, flush=True)
    comparisons = [compare(quantity, rounds) for quantity in QUANTITIES]
    known |= {"load_after": os.getloadavg()} | document(rounds, comparisons)
    arguments.out.write_text(json.dumps(known, indent=2) + "\n")
    print(f"{table(comparisons)}\n\nmedians over {len(rounds)} rounds (quartiles); written to {arguments.out}")
    return 0


def run(side: str, folder: Path) -> Run:
    """One run in processes of its own, timed from outside.

    folder  where experiments are written

    Raises RuntimeError with what it said if it fails.
    """
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc_per_node={WORKERS}"]
    ours = ["benchmarks.torchrun.ours", str(folder / str(time.time_ns()))]
    module = ours if side == "ours" else [*torchrun, "-m", "benchmarks.torchrun.by_hand"]
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # what torchrun sets, with a warning
        capture_output=True,
        text=True,
    )
    ended = time.time()
    if done.returncode != 0:
        raise RuntimeError(f"{side} failed:\n{done.stdout}\n{done.stderr}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Run(
        wall_s=ended - started,
        before_s=told["began"] - started,
        step_ms=told["step_ms"],
        after_s=ended - told["ended"],
        loss=told["Metric"],
    )


if __name__ == "__main__":
    sys.exit(main())
