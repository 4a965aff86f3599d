"""What the scripts beside this file are told: which framework, and where to run."""

import argparse

from training import keras_model, torch_model, train_keras, train_torch

FRAMEWORKS = {"torch": (train_torch, torch_model), "keras": (train_keras, keras_model)}
"""A training function and what makes its model."""


def chosen(description, engines=("local", "spark", "inline"), **numbers):
    """The command line as keyword arguments for `main`.

    numbers  further options, which are whole numbers, and their defaults
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--framework", choices=FRAMEWORKS, default="torch")
    parser.add_argument("--engine", choices=engines, default="local")
    for name, default in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    return vars(parser.parse_args())
