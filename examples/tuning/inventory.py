"""Tune a simulation, no machine learning: when to order, and up to which stock, for each product of a shop.

Each evening, if the stock is at or below `reorder`, the shop orders up to `target`; the lorry takes 60 pieces, and
comes two days later. Stock costs 0.1 a day and piece, an order 20, and 95 of 100 customers have to find what they want.
Run it with --engine local, spark, dask or ray.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from maggy.tune import RandInt, Space, suggest_for_noniterative_objective

LORRY, LEAD_DAYS, SERVED = 60, 2, 0.95


def cost(df: pd.DataFrame, reorder: int, target: int) -> tuple[float, dict[str, float]]:
    """Mean cost a day of a policy on what was asked for; what is served too rarely costs a lot more."""
    stock, on_the_way, paid, sold = float(target), [0.0] * LEAD_DAYS, 0.0, 0.0
    for demand in df["demand"]:
        stock += on_the_way.pop(0)
        served = min(stock, demand)
        stock, sold = stock - served, sold + served
        expected = stock + sum(on_the_way)
        order = target - expected if expected <= reorder else 0.0
        on_the_way.append(order)
        paid += 0.1 * stock + (20.0 if order else 0.0)
    share = sold / df["demand"].sum()
    return paid / len(df) + 1000 * max(0.0, SERVED - share), {"served": share}


def demand(products: int = 4, days: int = 365) -> pd.DataFrame:
    """What was asked for each day, in a table with a row for each product and day."""
    rng = np.random.default_rng(0)
    means = np.linspace(3, 15, products)
    return pd.DataFrame(
        {
            "product": np.repeat([f"product {index}" for index in range(products)], days),
            "demand": np.concatenate([rng.poisson(mean, days) for mean in means]),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="local", help="native, local, spark, dask or ray")
    parser.add_argument("--trials", type=int, default=60, help="policies that are tried for each product")
    arguments = parser.parse_args()

    policies = Space(reorder=RandInt(0, 60), target=RandInt(1, 120)).forbid(
        lambda policy: not policy["reorder"] < policy["target"] <= policy["reorder"] + LORRY
    )
    best = suggest_for_noniterative_objective(
        cost,
        policies,
        df=demand(),
        partition_keys=["product"],
        local_optimizer=f"tpe:{arguments.trials}",
        execution_engine=arguments.engine,
    )
    for report in sorted(best, key=lambda report: report.trial.keys):
        policy, [product] = report.params.simple_value, report.trial.keys
        print(
            f"{product}: order at {policy['reorder']}, up to {policy['target']}: "
            f"{report.metric:.2f} a day, {report.metadata['served']:.1%} served"
        )


if __name__ == "__main__":
    main()
