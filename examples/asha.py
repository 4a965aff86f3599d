"""ASHA over TPE: hundreds of configurations get one epoch, the best get more, from their checkpoints.

python examples/asha.py
"""

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.earlystop import time_budget
from maggy.optimizer import Asha


def train(rate, momentum, solver, reporter, budget, decay=0.0):
    """`budget` is the total number of epochs to have reached."""
    state = reporter.load_checkpoint() or {"epoch": 0, "loss": 1.0}
    for epoch in range(state["epoch"], budget):
        # stands for an epoch of your training
        state["loss"] = 0.9 * state["loss"] + abs(rate - 0.01) + 0.1 * (momentum - 0.8) ** 2 + decay
        state["epoch"] = epoch + 1
        reporter.broadcast(state["loss"], step=epoch + 1)
    reporter.save_checkpoint(state)
    return state["loss"]


if __name__ == "__main__":
    space = Searchspace(
        rate=("DOUBLE", [1e-4, 1.0], {"log": True}),
        momentum=("DOUBLE", [0.0, 0.99]),
        solver=("CATEGORICAL", ["sgd", "adam"]),
        decay=("DOUBLE", [1e-6, 1e-2], {"log": True, "when": {"solver": "adam"}}),
    ).start_with({"rate": 0.1, "momentum": 0.9, "solver": "sgd"})
    config = HyperparameterOptConfig(
        num_trials=80,
        optimizer=Asha(reduction_factor=3, resource_min=1, resource_max=27, sampler="tpe"),
        searchspace=space,
        direction="min",
        es_policy=time_budget("2min"),
        name="asha",
        seed=1,
    )
    result = lagom(train, config)
    for note in result.best.notes:
        print(f"trial {result.best.trial_id}: {note}")
