"""docs/benchmarks.md, written from what the runs have left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.harness.markdown import table_in_markdown, targets_in_markdown, unflattering
from benchmarks.harness.plots import draw
from benchmarks.harness.record import Record, load
from benchmarks.harness.settings import ROOT
from benchmarks.harness.tables import Table

PAGE, FIGURES = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "figures"
HEAD = """# Benchmarks

Written by `make bench` and `make bench-full`; do not edit it here. Every figure on this page was printed by one of the
two, and is kept with each of its rounds in `benchmarks/results/tables/`. Run them again where it matters: ratios last,
milliseconds belong to one machine.

    make bench         # every table in short, under 20 minutes on two cores
    make bench-full    # every table with its full sizes and more rounds
    python -m benchmarks overhead     # one of them, when the environments are there

How: ours and the peers do the same work in the same session, in turn, in another order each round; each in a fresh
process, each peer in an environment of its own with every version pinned (`benchmarks/environments/`). A table shows
medians over the rounds, with the least and the most; a figure without these is from one round, and may be
off by a good part. Rows are compared within their group; where ours stands beside peers there, the best is
**bold**. `benchmarks/README.md` says how each figure is taken.
"""


def write(sections: dict[str, Sequence[str]]) -> None:
    """Write the page.

    sections  by title: the benchmarks whose tables belong there
    """
    names = [name for group in sections.values() for name in group]
    runs = {full: [record for name in names if (record := load(name, full))] for full in (True, False)}
    parts = [HEAD, *_behind(runs), *_machines(runs)]
    for title, group in sections.items():
        parts.append(f"## {title}")
        parts += [part for name in group for part in _section(load(name, True), load(name, False))] or ["Not run yet."]
    PAGE.write_text("\n\n".join(part.strip("\n") for part in parts) + "\n")


def _behind(runs: dict[bool, list[Record]]) -> Iterable[str]:
    yield "## Where we are behind"
    for full, records in runs.items():
        if not records:
            continue
        found = [line for record in records for line in unflattering(record.tables)]
        command = "`make bench-full`" if full else "`make bench`"
        if found:
            yield f"By {command}:\n\n" + "\n".join(f"- {line}" for line in found)
        else:
            yield f"By {command}: no target was missed, and no peer was ahead in its group."


def _machines(runs: dict[bool, list[Record]]) -> Iterable[str]:
    yield "## Where and when"
    lines = ["| benchmark | run | took | commit | load before, after |", "|---|---|---:|---|---|"]
    records = [record for group in runs.values() for record in group]
    for record in records:
        facts = record.facts
        commit = (facts["commit"] or "")[:10] + (" and changes" if facts["uncommitted_changes"] else "")
        loads = f"{facts['machine']['load_before'][0]:.1f}, {facts['load_after'][0]:.1f}"
        took = f"{record.seconds:,.0f} s"
        lines.append(f"| `{record.command}` | {facts['date'][:16]} | {took} | {commit} | {loads} |")
    yield "\n".join(lines)
    yield from dict.fromkeys(_machine(record.facts) for record in records)


def _machine(facts: dict[str, Any]) -> str:
    machine = facts["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, "
        f"{machine['system']}. {versions}."
    )


def _section(full: Record | None, short: Record | None) -> Iterable[str]:
    main = full or short
    if main is None:
        return
    for table in main.tables:
        yield from _shown(table)
    if full is not None and short is not None:
        yield '<details markdown="1"><summary>What <code>make bench</code> printed</summary>'
        for table in short.tables:
            yield f"**{table.title}**"
            yield table_in_markdown(table)
            if table.targets:
                yield targets_in_markdown(table.targets)
        yield "</details>"


def _shown(table: Table) -> Iterable[str]:
    yield f"### {table.title}"
    yield table.text
    yield table_in_markdown(table)
    if table.targets:
        yield targets_in_markdown(table.targets)
    for name, what in draw(table, FIGURES):
        yield f"![{what}](figures/{name})"
    if table.caveats:
        yield "Before quoting it:\n\n" + "\n".join(f"- {caveat}" for caveat in table.caveats)
