"""The same training function as a search: python examples/oblivious/search.py --framework keras --engine spark

With --workers-per-trial 2, every trial trains on two workers.
"""

from choice import FRAMEWORKS, chosen
from training import tables

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig


def main(framework="torch", engine="local", trials=12, workers_per_trial=1):
    train, model = FRAMEWORKS[framework]
    train_set, test_set = tables()
    config = HyperparameterOptConfig(
        name=f"{framework}-search",
        num_trials=trials,
        optimizer="randomsearch",
        searchspace=Searchspace(
            learning_rate=("DOUBLE", [1e-4, 1e-1], {"log": True}),
            width=("INTEGER", [4, 64]),
            dropout=("DOUBLE", [0.0, 0.8]),
        ),
        direction="max",
        es_min=4,
        model=model,
        train_set=train_set,
        test_set=test_set,
        seed=1,
        workers_per_trial=workers_per_trial,
        distributed=framework if workers_per_trial > 1 else None,
    )
    return lagom(train, config, engine=engine)


if __name__ == "__main__":
    print("best", main(**chosen(__doc__, workers_per_trial=1))["best_config"])
