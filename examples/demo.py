"""Tune a classifier of handwritten digits: python examples/demo.py --engine local|spark|dask|ray|inline"""

from __future__ import annotations

import argparse

from maggy import Searchspace, lagom
from maggy.config import BaseConfig, HyperparameterOptConfig


def train(layers, units, log10_learning_rate, log10_l2, batch_size, reporter, examine="validation"):
    """Train a neural network on the digits of scikit-learn; report and return its accuracy on the part to examine.

    Nothing in here knows how many trials there are, what a worker is, or whether this is Spark.
    """
    # Imported here and not above, because this is what runs on the workers.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(images / 16, labels, test_size=0.2, random_state=0)
    x_train, x_validation, y_train, y_validation = train_test_split(x, y, test_size=0.25, random_state=0)
    x_examined, y_examined = (x_test, y_test) if examine == "test" else (x_validation, y_validation)

    model = MLPClassifier(
        hidden_layer_sizes=[units] * layers,
        learning_rate_init=10**log10_learning_rate,  # equally many of each order of magnitude are tried
        alpha=10**log10_l2,
        batch_size=batch_size,
        random_state=0,  # so that a configuration gives the same result wherever it runs
    )
    accuracy = 0.0
    for epoch in range(40):
        model.partial_fit(x_train, y_train, classes=range(10))
        accuracy = model.score(x_examined, y_examined)
        reporter.broadcast(accuracy, step=epoch)  # a trial that is not worth its time ends here
    return accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description="Tune a classifier of handwritten digits.")
    engines = ["local", "spark", "dask", "ray", "inline"]
    parser.add_argument("--engine", choices=engines, default="local", help="where trials run")
    parser.add_argument("--trials", type=int, default=30, help="how many configurations are tried (30)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed tries the same configurations (0)")
    options = parser.parse_args()

    search = HyperparameterOptConfig(
        name="digits",
        num_trials=options.trials,
        optimizer="randomsearch",
        searchspace=Searchspace(
            layers=("INTEGER", [1, 3]),
            units=("INTEGER", [32, 512]),
            log10_learning_rate=("DOUBLE", [-4.5, -1.5]),
            log10_l2=("DOUBLE", [-6, -1]),
            batch_size=("DISCRETE", [16, 32, 64, 128]),
        ),
        direction="max",
        es_policy="median",
        es_min=5,  # the first trials run to their end, so that the rule has something to compare with
        seed=options.seed,
    )
    result = lagom(train, search, engine=options.engine)
    if result.interrupted or result.best is None:
        return

    # The same function once more, now as a single run, on the images that no trial was judged by.
    best = BaseConfig(name="digits-best", hparams={**result.best.params, "examine": "test"})
    final = lagom(train, best, engine=options.engine, verbose=0)
    print(f"test      {final['test result']:.4f} of the digits that no trial has seen are read correctly")


if __name__ == "__main__":
    main()
