"""One training function, run in three ways: by hand, as a single run, as a search."""

from maggy import Reporter, Searchspace, lagom
from maggy.config import BaseConfig, HyperparameterOptConfig


def train(learning_rate, reporter, steps=5):
    """Walk down a parabola. `steps` has a default, so it need not be in the search space."""
    x = 1.0
    for step in range(steps):
        x -= learning_rate * 2 * x
        reporter.broadcast(x * x, step=step)
    return x * x


# By hand it is a function like any other; a reporter that belongs to no experiment prints what it is told.
print("by hand:       ", train(learning_rate=0.1, reporter=Reporter()))

# As a single run it has a worker process, a log and a folder. Fixed hyperparameters come from the config.
single = lagom(train, BaseConfig(name="single", hparams={"learning_rate": 0.1}), verbose=0)
print("as a single run:", single["test result"])

# As a search it runs once for each configuration.
search = HyperparameterOptConfig(
    name="search",
    num_trials=20,
    optimizer="randomsearch",
    searchspace=Searchspace(learning_rate=("DOUBLE", [0.01, 0.99])),
    direction="min",
    seed=1,
)
result = lagom(train, search, verbose=0)
print("as a search:    ", result["best_val"], "with", result["best_config"])
