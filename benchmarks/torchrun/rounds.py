"""What three runs a round say: ours, torchrun, and torchrun once more, which is the control."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isclose
from statistics import median, quantiles
from typing import Any

SIDES = ("ours", "torchrun", "control")
QUANTITIES = {
    "wall_s": "whole process, s",
    "before_s": "until the training begins, s",
    "step_ms": "training, ms a step",
    "after_s": "after the training, s",
}


@dataclass(frozen=True)
class Run:
    """One process from start to end.

    wall_s    how long it took
    before_s  from its start to the first line of the training
    step_ms   each step of the training, with its share of the evaluations between epochs
    after_s   from the end of the training to the end of the process
    loss      what the training came to
    """

    wall_s: float
    before_s: float
    step_ms: float
    after_s: float
    loss: float


Round = Mapping[str, Run]
"""The run of each side."""


def play(rounds: int, seed: int, run: Callable[[str], Run]) -> Iterator[Round]:
    """Run all sides in each round, in an order that is drawn anew.

    Raises ValueError if they did not come to the same loss: they are then not the same training.
    """
    chance = random.Random(seed)
    for _ in range(rounds):
        done = {side: run(side) for side in chance.sample(SIDES, len(SIDES))}
        losses = {side: done[side].loss for side in SIDES}
        if not all(isclose(loss, losses["torchrun"], rel_tol=1e-4) for loss in losses.values()):
            raise ValueError(f"the sides trained different things; losses: {losses}")
        yield done


@dataclass(frozen=True)
class Comparison:
    """One quantity over all rounds.

    ours, control  by round, the ratio to torchrun of the same round
    verdict        where the median of ours lies: "within" the quartiles of the control, "below" or "above" them
    slowest        in how many rounds ours was the highest of the three; by chance a third of them
    """

    quantity: str
    medians: Mapping[str, float]
    ours: Sequence[float]
    control: Sequence[float]
    verdict: str
    slowest: int


def compare(quantity: str, rounds: Sequence[Round]) -> Comparison:
    """One of `QUANTITIES`. Ratios are taken within a round: what disturbed it disturbed all."""
    values = [{side: float(getattr(each[side], quantity)) for side in SIDES} for each in rounds]
    ours = [each["ours"] / each["torchrun"] for each in values]
    control = [each["control"] / each["torchrun"] for each in values]
    low, _, high = quartiles(control)
    middle = median(ours)
    return Comparison(
        quantity,
        medians={side: median(each[side] for each in values) for side in SIDES},
        ours=ours,
        control=control,
        verdict="below" if middle < low else "above" if middle > high else "within",
        slowest=sum(each["ours"] > max(each["torchrun"], each["control"]) for each in values),
    )


def quartiles(values: Sequence[float]) -> list[float]:
    """A quarter, half and three quarters of the values lie below."""
    return quantiles(values, n=4, method="inclusive")


def table(comparisons: Sequence[Comparison]) -> str:
    """Medians, and medians of the ratios with their quartiles."""
    head = [
        "",
        "ours",
        "torchrun",
        "again",
        "ours / torchrun",
        "again / torchrun",
        "ours slowest",
        "beside the control",
    ]
    lines = [head, ["---"] * len(head)]
    for each in comparisons:
        lines.append(
            [
                QUANTITIES[each.quantity],
                *(f"{each.medians[side]:.3g}" for side in SIDES),
                _spread(each.ours),
                _spread(each.control),
                f"{each.slowest} of {len(each.ours)}",
                each.verdict,
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(ratios: Sequence[float]) -> str:
    low, middle, high = quartiles(ratios)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def document(rounds: Sequence[Round], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """All of it, for a JSON file."""
    return {
        "comparisons": [asdict(each) for each in comparisons],
        "rounds": [{side: asdict(each[side]) for side in each} for each in rounds],
    }
