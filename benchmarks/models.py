"""The hand-over while a model of hundreds of trials is fitted: nobody waits for it."""

from __future__ import annotations

from collections import Counter

from benchmarks.functions import nap
from benchmarks.handover import gaps_ms
from benchmarks.measure import Figure, Settings, Target, alternate, p50, p99
from benchmarks.searches import search, told
from maggy import Searchspace
from maggy.result import Result

FIVE = Searchspace(x=("DOUBLE", [0.0, 1.0]), **{f"y{n}": ("DOUBLE", [0.0, 1.0]) for n in range(4)})


def nap_of_five(x: float, y0: float, y1: float, y2: float, y3: float) -> dict[str, float]:
    """`nap`, with a metric that a model has something to learn from."""
    return nap(x) | {"Metric": sum((y - 0.3) ** 2 for y in (x, y0, y1, y2, y3))}


def run(settings: Settings) -> list[Figure]:
    trials = settings.pick(1100, 80)
    last = settings.pick(300, 40)
    figures = []
    for optimizer in ("tpe", "gp"):
        origins: Counter[str | None] = Counter()

        def searched(name: str) -> Result:
            return search(
                nap_of_five, trials, engine=settings.engine, folder=settings.folder, space=FIVE, optimizer=name
            )

        def ours(name: str = optimizer, origins: Counter[str | None] = origins) -> list[float]:
            result = searched(name)
            origins.update(trial.origin for trial in result.trials[-last:])
            return gaps_ms(told(result)[-last:])

        gaps, beside = alternate(settings.pick(3, 1), ours, lambda: gaps_ms(told(searched("randomsearch"))[-last:]))
        share = origins["model"] / origins.total()
        figures += [
            Figure(
                name=f"hand-over {name}, {optimizer}, last {last:,} of {trials:,} ({share:.0%} from the model)",
                unit="ms",
                ours=[quantile(of_round) for of_round in gaps],
                reference=[quantile(of_round) for of_round in beside],
                beside="random search",
                targets=targets,
            )
            for name, quantile, targets in (("p50", p50, [Target(of="ratio", at_most=1.5)]), ("p99", p99, []))
        ]
    return figures
