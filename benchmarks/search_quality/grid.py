"""What is run: who, on what, with how many workers, for how long, how often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.search_quality.functions import FUNCTIONS
from benchmarks.search_quality.tables import NAMES

WORKERS = (1, 8, 64)
SEEDS = 30
TRIALS = {1: 100, 8: 160, 64: 320}
"""By workers: how many trials a search may run on functions without steps."""
TRAININGS = {1: 50, 8: 80, 64: 128}
"""By workers: to how many full trainings the steps of all trials may add up, where there are steps."""
GP_SEEDS, GP_TRIALS, GP_WORKERS = 10, 60, (1, 8)
"""Gaussian processes are slow. With 64 workers all of 60 trials would be drawn before the first one ends."""
STEPS = {name: function.steps for name, function in FUNCTIONS.items()} | dict.fromkeys(NAMES, 81)
"""By problem: how many steps a trial takes."""
GPS = ("maggy-gp", "optuna-gp", "synetune-gp")
STOPPING = ("maggy-asha", "maggy-asha-stopping", "maggy-asha-tpe", "maggy-bohb")
STOPPING += ("optuna-asha", "optuna-tpe-asha", "optuna-tpe-hyperband", "synetune-asha", "synetune-bohb")
"""Who stops trials, and so runs where there are steps only."""
RIVALS = {
    "maggy-tpe": ("optuna-tpe", "hyperopt-tpe", "synetune-tpe"),
    "maggy-gp": ("optuna-gp", "synetune-gp"),
    "maggy-asha": ("optuna-asha", "synetune-asha"),
    "maggy-asha-stopping": ("optuna-asha", "synetune-asha"),
    "maggy-asha-tpe": ("optuna-tpe-asha",),
    "maggy-bohb": ("optuna-tpe-hyperband", "synetune-bohb"),
}
"""Who does by our side what ours does."""


@dataclass(frozen=True, order=True)
class Cell:
    """One run: its budget is a number of steps, over all trials."""

    seed: int
    workers: int
    problem: str
    contestant: str
    steps: int


def cells(contestants: Iterable[str], problems: Iterable[str], workers: Iterable[int], seeds: int) -> Iterator[Cell]:
    """The runs, seed by seed, so that a grid that is cut off has fewer seeds and no holes."""
    contestants, problems, workers = list(contestants), list(problems), list(workers)
    for seed in range(seeds):
        for count in workers:
            for problem in problems:
                for contestant in contestants:
                    if steps := budget(contestant, problem, count, seed):
                        yield Cell(seed, count, problem, contestant, steps)


def budget(contestant: str, problem: str, workers: int, seed: int) -> int:
    """How many steps such a run may take; 0 if it is not in the grid."""
    steps = STEPS[problem]
    if contestant in GPS:
        return GP_TRIALS * steps if seed < GP_SEEDS and workers in GP_WORKERS else 0
    if steps == 1:
        return 0 if contestant in STOPPING else TRIALS[workers]
    return TRAININGS[workers] * steps
