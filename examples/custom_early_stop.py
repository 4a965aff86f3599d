"""A stopping rule of your own: stop a trial that has not become better for a while."""

import time

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.earlystop import AbstractEarlyStop


class Plateau(AbstractEarlyStop):
    """Stops a trial whose last five reports brought nothing better."""

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        # Asked about a running trial at each step. `finalized_trials`, for comparison, is not needed here.
        metrics = to_check.metric_history
        if len(metrics) <= 5:
            return None
        best = max if direction == "max" else min
        return to_check.trial_id if best(metrics) == best(metrics[:-5]) else None


def train(rate, ceiling, reporter):
    """Learns at some rate until it is as good as it can get."""
    accuracy = 0.0
    for epoch in range(50):
        time.sleep(0.01)  # stands for an epoch of your training
        accuracy = min(accuracy + rate, ceiling)
        reporter.broadcast(accuracy, step=epoch)
    return accuracy


config = HyperparameterOptConfig(
    name="plateau",
    num_trials=20,
    optimizer="randomsearch",
    searchspace=Searchspace(rate=("DOUBLE", [0.04, 0.4]), ceiling=("DOUBLE", [0.5, 1])),
    direction="max",
    es_policy=Plateau(),
    es_min=1,  # nobody is stopped before more than one trial has ended
    seed=1,
)
result = lagom(train, config, verbose=0)
print(result["early_stopped"], "of", result["num_trials"], "trials were stopped early")
for trial in result.trials:
    print(f"trial {trial.trial_id}: {trial.state} at {trial.final_metric:.3f} after {trial.num_points} epochs")
