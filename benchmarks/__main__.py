"""`python -m benchmarks [names...]`: measure, print a table, write JSON.

Process pools import this module again in each of their workers, so it loads what it measures only when it is run.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.measure import Figure

ENGINES = ("local", "spark")  # in this order: no Java runs beside the local figures
BENCHMARKS = {
    "broadcast": ("local",),
    "startup": ENGINES,
    "noop": ("local",),
    "scale": ("local",),
    "simulation": ("local",),
    "handover": ENGINES,
    "models": ("local",),
    "stop": ENGINES,
    "utilisation": ENGINES,
}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    from benchmarks.report import facts, save, table

    arguments = parse()
    known = facts() | {"quick": arguments.quick}
    started = time.monotonic()
    RESULTS.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="runs-", dir=RESULTS) as folder:
        figures = measure(arguments.names, arguments.engine, arguments.quick, Path(folder))
    known |= {"seconds": round(time.monotonic() - started), "load_after": os.getloadavg()}
    out = arguments.out or RESULTS / f"{known['date'].replace(':', '').removesuffix('+0000')}.json"
    save(figures, known, out)
    print(f"{table(figures)}\n\n{known['seconds']} s; medians over rounds (least-most); written to {out}")
    missed = [figure.name for figure in figures if figure.met is False]
    return 1 if missed and arguments.check else 0


def measure(names: list[str], engines: list[str], quick: bool, folder: Path) -> list[Figure]:
    from benchmarks.measure import Settings

    figures: list[Figure] = []
    for engine in (engine for engine in ENGINES if engine in engines):
        settings = Settings(quick=quick, engine=engine, folder=folder)
        for name in (name for name, where in BENCHMARKS.items() if name in names and engine in where):
            print(f"measuring {name} on {engine} ...", file=sys.stderr, flush=True)
            figures += import_module(f"benchmarks.{name}").run(settings)
    return figures


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What Maggy costs beside a reference.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one; may be given twice")
    parser.add_argument("--quick", action="store_true", help="about a minute: to see that it runs, not to quote")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed by its median")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON file; default: benchmarks/results/<date>.json")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    arguments.names = arguments.names or list(BENCHMARKS)
    arguments.engine = arguments.engine or list(ENGINES)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
