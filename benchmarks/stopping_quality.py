"""`python -m benchmarks.stopping_quality`: what stopping rules save, and what they lose, on the recorded curves.

For each table of `search_quality`, 100 of its configurations are drawn, 30 times over, and trained one after another
under each rule; a trial ends where the rule stops it. "Saved" is the share of epochs that were not trained, "lost" the
regret of the best trial that ran to its end, less that of the best of all 100, where 1 is the regret of a typical
configuration. Curve prediction is judged on its probabilities as well: how often what it predicted came true.

Takes three minutes. The page and the plot go to `results/`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.search_quality.results import interval
from benchmarks.search_quality.tables import NAMES, Table, load
from maggy.earlystop import (
    Calibration,
    CurvePredictionRule,
    MedianStoppingRule,
    PatienceRule,
    PercentileStoppingRule,
    StoppingRule,
    calibration,
)
from maggy.testing.rules import watch
from maggy.trial import Curve

TRIALS, SEEDS, FINISHED_FIRST = 100, 30, 10
RULES: dict[str, Callable[[], StoppingRule]] = {
    "median": MedianStoppingRule,
    "percentile(25)": lambda: PercentileStoppingRule(25),
    "patience(10)": lambda: PatienceRule(10),
    "curve prediction": CurvePredictionRule,
    "curve prediction, ratio=1": lambda: CurvePredictionRule(ratio=1.0),
}
PATH = Path(__file__).parent / "results" / "stopping_quality.md"


def sampled(table: Table, seed: int) -> list[Curve]:
    sign = -1.0 if table.direction == "max" else 1.0
    rows = np.random.default_rng(seed).choice(len(table.curves), TRIALS, replace=False)
    return [Curve(list(range(1, table.epochs + 1)), [sign * float(v) for v in table.curves[row]]) for row in rows]


def saved_and_lost(rule: StoppingRule, curves: list[Curve], best: float, typical: float) -> tuple[float, float]:
    stops = watch(rule, curves, es_min=FINISHED_FIRST)
    epochs = sum(stops.get(number, (len(curve), ""))[0] for number, curve in enumerate(curves))
    ends = [curve.values[-1] for number, curve in enumerate(curves) if number not in stops]
    lost = (min(ends) - min(curve.values[-1] for curve in curves)) / (typical - best)
    return 1 - epochs / sum(map(len, curves)), lost


def measure() -> tuple[str, dict[str, list[Calibration]]]:
    lines = ["| | rule | saved | lost |", "|---|---|---|---|"]
    calibrations = {}
    for name in NAMES:
        table = load(name)
        sign = -1.0 if table.direction == "max" else 1.0
        ends = sign * table.curves[:, -1]
        seeds = [sampled(table, seed) for seed in range(SEEDS)]
        for rule, make in RULES.items():
            figures = [saved_and_lost(make(), curves, float(ends.min()), float(np.median(ends))) for curves in seeds]
            saved, lost = zip(*figures, strict=True)
            lines.append(f"| {name} | {rule} | {spread(saved)} | {spread(lost)} |")
            print(lines[-1], file=sys.stderr)
        calibrations[name] = pooled([calibration(curves) for curves in seeds])
    lines += ["", "| predicted | observed | predictions |", "|---|---|---|"]
    for each in pooled(list(calibrations.values())):
        lines.append(f"| {each.low:g} to {each.high:g}: {each.predicted:.3f} | {each.observed:.3f} | {each.count} |")
    return "\n".join(lines), calibrations


def pooled(found: list[list[Calibration]]) -> list[Calibration]:
    by_range: dict[tuple[float, float], list[Calibration]] = defaultdict(list)
    for each in (one for several in found for one in several):
        by_range[each.low, each.high].append(each)
    return [
        Calibration(
            low=low,
            high=high,
            predicted=float(np.average([each.predicted for each in same], weights=[each.count for each in same])),
            observed=float(np.average([each.observed for each in same], weights=[each.count for each in same])),
            count=sum(each.count for each in same),
        )
        for (low, high), same in sorted(by_range.items())
    ]


def spread(values: tuple[float, ...]) -> str:
    low, high = interval(list(values))
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"


def plot(calibrations: dict[str, list[Calibration]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(6, 6), layout="constrained")
    panel.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    for name, found in calibrations.items():
        panel.plot([each.predicted for each in found], [each.observed for each in found], marker="o", label=name)
    panel.set(xlabel="predicted probability of ending as the best so far", ylabel="observed frequency")
    panel.legend()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def main() -> int:
    page, calibrations = measure()
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(page + "\n")
    plot(calibrations, PATH.with_suffix(".png"))
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
