"""`python -m benchmarks [names...] [--full]`: run them, print their tables, keep them as JSON, and write the page.

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

SECTIONS = {
    "Overhead": ("overhead",),
    "Scale": ("connections", "simulation"),
    "The seeds' experiments": ("seeds",),
    "Early stopping": ("stopping",),
    "Faults": ("faults",),
}
MODULES = {
    "overhead": "overhead.table",
    "connections": "scale.connections",
    "simulation": "scale.simulation",
    "seeds": "seeds.tables",
    "stopping": "stopping",
    "faults": "faults",
}
NAMES = [name for group in SECTIONS.values() for name in group]


def main() -> int:
    from benchmarks.harness import page
    from benchmarks.harness.markdown import unflattering
    from benchmarks.harness.record import RESULTS

    arguments = parse()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not arguments.page:
        began = time.monotonic()
        found = [line for name in arguments.names for line in unflattering(run(name, arguments.full))]
        print(f"\n{time.monotonic() - began:,.0f} s in all. Where we are behind:")
        print("\n".join(f"- {line}" for line in found) or "- no target was missed, and no peer was ahead in its group")
    page.write(SECTIONS)
    print(f"the page is {page.PAGE}")
    return 0


def run(name: str, full: bool):  # type: ignore[no-untyped-def]
    """Run one benchmark, print its tables, and keep them."""
    from benchmarks.harness.facts import facts
    from benchmarks.harness.markdown import table_in_markdown, targets_in_markdown
    from benchmarks.harness.record import RESULTS, Record, save
    from benchmarks.harness.settings import Settings

    known, began = facts(), time.monotonic()
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    with TemporaryDirectory(prefix="runs-", dir=RESULTS) as folder:
        tables = import_module(f"benchmarks.{MODULES[name]}").measure(Settings(full=full, folder=Path(folder)))
    seconds = time.monotonic() - began
    path = save(
        Record(name=name, full=full, seconds=seconds, facts={**known, "load_after": os.getloadavg()}, tables=tables)
    )
    for table in tables:
        print(f"\n{table.title}\n\n{table_in_markdown(table)}", flush=True)
        if table.targets:
            print(f"\n{targets_in_markdown(table.targets)}")
    print(f"\n{name}: {seconds:,.0f} s; every round is in {path}", flush=True)
    return tables


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Maggy beside the peers.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--full", action="store_true", help="with full sizes and more rounds")
    parser.add_argument("--page", action="store_true", help="only write the page from what is there")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(NAMES)}")
    arguments.names = arguments.names or NAMES
    return arguments


if __name__ == "__main__":
    sys.exit(main())
