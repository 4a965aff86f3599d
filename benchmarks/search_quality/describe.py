"""`python -m benchmarks.search_quality.describe`: what the recorded curves show, as the table of the README."""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.search_quality.space import draw
from benchmarks.search_quality.tables import NAMES, Table, load

EARLY = (1, 3, 9, 27)
DRAWS = 20_000


def main() -> None:
    columns = [facts(load(name)) for name in NAMES]
    print(f"| | {' | '.join(NAMES)} |\n|---|{'---|' * len(NAMES)}")
    for row in columns[0]:
        print(f"| {row} | {' | '.join(column[row] for column in columns)} |")


def facts(table: Table) -> dict[str, str]:
    ends, best = table.curves[:, -1], table.best
    sign = -1.0 if table.direction == "max" else 1.0
    order = np.argsort(sign * ends)
    quartiles = np.quantile(ends, (0.25, 0.5, 0.75))
    ranks = ", ".join(f"{rank_correlation(table.curves[:, epoch - 1], ends):.2f}" for epoch in EARLY)
    start = np.argsort(np.argsort(sign * table.curves[:, 2]))[order[: len(order) // 50]] / len(order)
    left_out = [weights @ ends[rows] for rows, weights in map(table_without(table), range(len(ends)))]
    rng = np.random.default_rng(0)
    drawn = np.array([table.curve(draw(table.space, rng))[-1] for _ in range(DRAWS)])
    seconds = table.seconds_per_epoch * 1000
    return {
        "metric": f"{table.metric}, {table.direction}",
        "configurations, hyperparameters": f"{len(ends)}, {len(table.space)}",
        "best, on validation data and on test data": f"{best:.4f}, {table.test[order[0], -1]:.4f}",
        "quartiles": ", ".join(f"{value:.3f}" for value in quartiles),
        "within 1 % of the best, recorded": one_in((abs(ends - best) <= 0.01 * best).mean()),
        "within 1 % of the best, drawn at random": one_in((abs(drawn - best) <= 0.01 * best).mean()),
        f"rank correlation of epochs {', '.join(map(str, EARLY))} with the last": ranks,
        "where the best 2 % stand after 3 epochs, median": f"best {np.median(start):.0%}",
        "rank correlation of a curve's end with its neighbours'": f"{rank_correlation(np.array(left_out), ends):.2f}",
        "milliseconds per epoch, least to most": f"{seconds.min():.1f} to {seconds.max():.0f}",
    }


def table_without(table: Table):  # type: ignore[no-untyped-def]
    return lambda row: table.nearest(table.configs[row], leave_out=row)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other)[0])


def one_in(share: float) -> str:
    return f"1 in {1 / share:.0f}" if share else "none"


if __name__ == "__main__":
    sys.exit(main())
