"""`python -m benchmarks.search_quality`: run what the grid has and the results have not, as far as it can be run here.

Peers live in an environment of their own (`make peers`), which knows nothing of Maggy. Both write to one file.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.search_quality import results
from benchmarks.search_quality.grid import SEEDS, STEPS, WORKERS, cells
from benchmarks.search_quality.runner import CONTESTANTS, run


def main() -> int:
    arguments = parse()
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes below
    known = {results.cell_of(row) for row in results.load(arguments.out)}
    wanted = list(cells(arguments.contestants, arguments.problems, arguments.workers, arguments.seeds))
    missing = [cell for cell in wanted if cell not in known]
    print(f"{len(wanted)} runs, {len(wanted) - len(missing)} of them known", file=sys.stderr)
    started = time.monotonic()
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run, cell) for cell in missing]
        for done, future in enumerate(as_completed(futures), 1):
            results.append(arguments.out, future.result())
            left_s = (time.monotonic() - started) / done * (len(missing) - done)
            print(f"\r{done} of {len(missing)}, {left_s / 60:.0f} min left ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_quality", description=__doc__)
    parser.add_argument("contestants", nargs="*", help=f"of {', '.join(CONTESTANTS)}; all if none is given")
    parser.add_argument("--problems", nargs="+", metavar="NAME", choices=STEPS, default=list(STEPS))
    parser.add_argument("--workers", nargs="+", type=int, choices=WORKERS, default=WORKERS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many, default {SEEDS}")
    parser.add_argument("--processes", type=int, default=1, help="how many runs at a time")
    parser.add_argument("--out", type=Path, default=results.PATH, metavar="FILE", help=f"default: {results.PATH}")
    arguments = parser.parse_args()
    if unknown := set(arguments.contestants) - set(CONTESTANTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(CONTESTANTS)}")
    arguments.contestants = arguments.contestants or list(CONTESTANTS)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
