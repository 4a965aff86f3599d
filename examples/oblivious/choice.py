"""What the scripts beside this file are told: which framework, and where to run."""

import argparse

from training import keras_model, torch_model, train_keras, train_torch

FRAMEWORKS = {"torch": (train_torch, torch_model), "keras": (train_keras, keras_model)}
"""A training function and what makes its model."""


def chosen(description):
    """The command line as keyword arguments for `main`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--framework", choices=FRAMEWORKS, default="torch")
    parser.add_argument("--engine", choices=["local", "spark", "inline"], default="local")
    return vars(parser.parse_args())
