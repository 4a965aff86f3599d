"""`python -m benchmarks.search_quality.report`: the results as a page of tables, and as a plot.

Needs matplotlib, which is in the peers' environment.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.search_quality import results
from benchmarks.search_quality.grid import GPS, RIVALS, STEPS, WORKERS, budget

SIGNIFICANT = 0.05

Curves = dict[int, list[float]]
"""By seed: the regret when each share of the budget was spent."""


class Regrets:
    """What is known of each contestant on each problem, with a number of workers."""

    def __init__(self, rows: list[results.Row]) -> None:
        self._curves: dict[tuple[str, str, int], Curves] = defaultdict(dict)
        for row in rows:
            where = (row["contestant"], row["problem"], row["workers"])
            if row["steps"] == budget(*where, row["seed"]):  # not what was run on another grid
                self._curves[where][row["seed"]] = row["regrets"]

    def of(self, contestant: str, problem: str, workers: int) -> Curves:
        return self._curves.get((contestant, problem, workers), {})

    def ends(self, contestant: str, problem: str, workers: int) -> dict[int, float]:
        return {seed: curve[-1] for seed, curve in self.of(contestant, problem, workers).items()}


@dataclass(frozen=True)
class Comparison:
    """Ours beside a rival. `difference` is the mean of ours less the mean of theirs."""

    ours: str
    theirs: str
    problem: str
    workers: int
    difference: float
    p_value: float

    @property
    def verdict(self) -> str:
        """The p-value has to be a corrected one."""
        if self.p_value >= SIGNIFICANT:
            return "="
        return "better" if self.difference < 0 else "worse"


def compare(regrets: Regrets) -> list[Comparison]:
    """Every pair on every problem, with p-values that are corrected for how many there are."""
    pairs = [(ours, theirs) for ours, rivals in RIVALS.items() for theirs in rivals]
    found = []
    for (ours, theirs), workers, problem in product(pairs, WORKERS, STEPS):
        mine = list(regrets.ends(ours, problem, workers).values())
        other = list(regrets.ends(theirs, problem, workers).values())
        if mine and other:
            difference = float(np.mean(mine) - np.mean(other))
            p_value = results.p_value(mine, other)
            found.append(Comparison(ours, theirs, problem, workers, difference, p_value))
    corrected = results.holm(comparison.p_value for comparison in found)
    return [replace(comparison, p_value=p_value) for comparison, p_value in zip(found, corrected, strict=True)]


def page(regrets: Regrets) -> str:
    comparisons = {(c.ours, c.theirs, c.problem, c.workers): c for c in compare(regrets)}
    parts = [summary(list(comparisons.values()))]
    for ours, rivals in RIVALS.items():
        for workers in WORKERS:
            names = (ours, *rivals) if ours in GPS else ("random", ours, *rivals)
            lines = []
            for problem in STEPS:
                cells = []
                for name in names:
                    cell = spread(list(regrets.ends(name, problem, workers).values()))
                    comparison = comparisons.get((ours, name, problem, workers))
                    cells.append(f"{cell} {comparison.verdict}" if comparison else cell)
                if any(regrets.of(name, problem, workers) for name in (ours, *rivals)):
                    lines.append(f"| {problem} | {' | '.join(cells)} |")
            if lines:
                head = f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}"
                parts.append(f"### {ours}, {workers} worker{'s' * (workers > 1)}\n\n{head}\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def summary(comparisons: list[Comparison]) -> str:
    lines = [
        "Mean normalised regret at the end of the budget, with its 95 % interval. After a rival's figure: whether ours",
        "is better, worse or neither (=), by permutation tests at 5 %, with Holm's correction for",
        f"{len(comparisons)} comparisons.",
        "",
        "| ours | beside | better | = | worse |",
        "|---|---|---|---|---|",
    ]
    for ours, rivals in RIVALS.items():
        for rival in rivals:
            verdicts = [c.verdict for c in comparisons if (c.ours, c.theirs) == (ours, rival)]
            counts = " | ".join(str(verdicts.count(verdict)) for verdict in ("better", "=", "worse"))
            lines.append(f"| {ours} | {rival} | {counts} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    if not values:
        return "-"
    low, high = results.interval(values)
    return f"{np.mean(values):.3g} ({low:.2g} to {high:.2g})"


def plot(regrets: Regrets, workers: int, path: Path) -> None:
    """The mean regret of everybody against what was spent, one panel for each problem."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(3, 4, figsize=(16, 11), layout="constrained")
    names = ["random", *dict.fromkeys(name for ours, rivals in RIVALS.items() for name in (ours, *rivals))]
    colours = {name: pyplot.get_cmap("tab20")(index / len(names)) for index, name in enumerate(names)}
    for panel, problem in zip(panels.flat, STEPS, strict=True):
        for name in names:
            curves = regrets.of(name, problem, workers)
            if curves:
                style = {"linewidth": 2.5} if name.startswith("maggy") else {"linewidth": 1.2, "linestyle": "--"}
                mean = np.mean(list(curves.values()), axis=0)
                spent = np.array(results.SHARES) * budget(name, problem, workers, seed=0) / STEPS[problem]
                panel.plot(spent, np.maximum(mean, 1e-6), color=colours[name], label=name, **style)
        panel.set(title=problem, yscale="log")
    figure.supxlabel("full trainings, or as many steps")
    figure.supylabel("mean normalised regret")
    handles = [panel.get_legend_handles_labels() for panel in panels.flat]
    shown = {label: line for lines, labels in handles for line, label in zip(lines, labels, strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside right upper")
    figure.suptitle(f"{workers} worker{'s' * (workers > 1)}")
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_quality.report", description=__doc__)
    parser.add_argument("--results", type=Path, default=results.PATH, metavar="FILE", help=f"default: {results.PATH}")
    path = parser.parse_args().results
    regrets = Regrets(results.load(path))
    path.with_suffix(".md").write_text(page(regrets))
    for workers in WORKERS:
        plot(regrets, workers, path.with_suffix(f".{workers}.png"))
    print(f"written: {path.with_suffix('.md')} and a plot for each of {', '.join(map(str, WORKERS))} workers")


if __name__ == "__main__":
    sys.exit(main())
