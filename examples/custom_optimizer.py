"""An optimizer of your own: small steps away from the best configuration so far."""

import math
import random

from maggy import Searchspace, Trial, lagom
from maggy.config import HyperparameterOptConfig
from maggy.optimizer import AbstractOptimizer


class HillClimber(AbstractOptimizer):
    """Draws some configurations at random, then looks around the best one.

    draws  how many trials are drawn at random
    reach  standard deviation of a step, as a share of a hyperparameter's range
    """

    def __init__(self, draws=8, reach=0.1, seed=0):
        self.draws, self.reach = draws, reach
        self.random = random.Random(seed)  # of its own, so that a search can be repeated

    def initialize(self):
        # What is known by now: self.searchspace, self.num_trials, self.direction.
        self.bounds = {parameter["name"]: parameter["values"] for parameter in self.searchspace}

    def get_suggestion(self, trial=None):
        # Asked whenever a worker has nothing to do; maggy stops asking after `num_trials` suggestions.
        losses = self.get_metrics_dict()  # by trial id; lower is better, whatever the direction
        if len(losses) < self.draws:
            return Trial({name: self.random.uniform(low, high) for name, (low, high) in self.bounds.items()})
        best = min(losses, key=losses.get)
        center = self.get_hparams_dict(best)[best]
        return Trial({name: self.step(center[name], low, high) for name, (low, high) in self.bounds.items()})

    def finalize_experiment(self, trials):
        print(f"{len(trials)} trials, the best loss is {self.ybest():.4f}")

    def step(self, value, low, high):
        return min(max(self.random.gauss(value, self.reach * (high - low)), low), high)


def branin(x, y):
    """A test function with three minima of 0.3979."""
    return (y - 0.1291845 * x**2 + 1.5915494 * x - 6) ** 2 + 9.6021127 * math.cos(x) + 10


config = HyperparameterOptConfig(
    name="branin",
    num_trials=60,
    optimizer=HillClimber(seed=1),
    searchspace=Searchspace(x=("DOUBLE", [-5, 10]), y=("DOUBLE", [0, 15])),
    direction="min",
)
result = lagom(branin, config, verbose=0)
print("best configuration:", result["best_config"])
