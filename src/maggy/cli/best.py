"""`maggy best`: the best configuration."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "best",
        _best,
        help="print the best configuration so far",
        examples="maggy best maggy-runs/train/3\nmaggy run train.py:train --hparams $(maggy best maggy-runs/train/3 "
        "--params)",
    )
    parser.add_argument("--params", action="store_true", help="only the hyperparameters, as --hparams takes them")


def _best(options: argparse.Namespace) -> int:
    from maggy.chronicle import Chronicle
    from maggy.cli.output import print_json, show
    from maggy.errors import ExperimentDirError

    trial = Chronicle.of(options.path).best
    if trial is None:
        raise ExperimentDirError(f"no trial of {options.path} has a result yet")
    number = trial.trial_id
    if options.json:
        told = {"trial": number, "metric": trial.final_metric, "outputs": trial.metric_dict, "budget": trial.budget}
        print_json(trial.params if options.params else {**told, "params": trial.params})
    elif options.params:
        print(" ".join(shlex.quote(_assignment(name, value)) for name, value in trial.params.items()))
    else:
        print(f"{show(trial.final_metric)} in trial {number}")
        for name, value in trial.params.items():
            print(f"  {name} = {value!r}")
    return 0


def _assignment(name: str, value: Any) -> str:
    """What `--hparams` reads as this value: text that looks like something else, e.g. none or 1, is quoted."""
    from maggy.cli.settings import assigned

    bare = f"{name}={value}"
    return bare if assigned([bare]) == {name: value} else f"{name}={value!r}"
