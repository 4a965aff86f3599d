"""`maggy run`: a training function, once or in a search."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands
    from maggy.result import Result

_MORE = """\
TARGET is script.py:train or package.module:train. Without --space the function runs once, with what --hparams says;
with it, as many trials as --trials says. The script is loaded like a module: what is under
if __name__ == "__main__" does not run. Modules beside it travel to the workers.

A search space is a file of TOML (or JSON, as Space.json() writes it):

  learning_rate = { type = "double", values = [1e-5, 1e-1], log = true }
  units         = { type = "integer", values = [16, 256] }
  optimizer     = { type = "categorical", values = ["sgd", "adam"] }
  momentum      = { type = "double", values = [0, 0.99], when = { optimizer = "sgd" } }
  epochs        = 10

All of it can stand in one file, --config: options in its [run] table, the space in its [space] table. What the command
line says, wins. Ctrl-C ends the experiment and keeps what has finished; `maggy resume` goes on from there.
Exit status 2 also if no trial has a result.
"""

_EXAMPLES = """\
maggy run train.py:train --hparams lr=0.1 epochs=3
maggy run train.py:train --space space.toml --trials 50 --optimizer tpe --direction min
maggy run train.py:train --space space.toml --trials 200 --optimizer asha:resource_max=27 --early-stopping none
maggy run models.resnet:train --space space.toml --trials 20 --engine spark --resources cpu=2,gpu=1
maggy run --config experiment.toml --trials 100 --json > result.json
"""


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "run",
        _run,
        help="run a training function: once, or in a search",
        more=_MORE,
        examples=_EXAMPLES,
        path=False,
        json="print the result as one JSON document, and nothing else, on stdout",
    )
    parser.add_argument("target", metavar="TARGET", nargs="?", help="script.py:train or package.module:train")
    parser.add_argument("--config", metavar="FILE", help="a file of TOML that says some or all of this")
    parser.add_argument("--hparams", metavar="NAME=VALUE", nargs="+", action="extend", help="for a single run")

    search = parser.add_argument_group("a search")
    search.add_argument("--space", metavar="FILE", help="what can be chosen: a file of TOML or JSON")
    search.add_argument("--trials", type=int, metavar="N", help="how many configurations are tried")
    search.add_argument(
        "--optimizer",
        metavar="NAME[:OPTION=VALUE,...]",
        help="randomsearch (the default), gridsearch, tpe, gp, cmaes, asha, hyperband, bohb, pbt ...",
    )
    search.add_argument(
        "--early-stopping", metavar="NAME[:...]", help="median (the default), percentile, curve or none"
    )
    search.add_argument(
        "--direction", action="append", metavar="max|min", help="max (the default) or min; again for each --metric"
    )
    both = parser.add_argument_group("any run")
    both.add_argument(
        "--metric", action="append", metavar="KEY", help="where the metric is, if the function returns a dict"
    )
    both.add_argument(
        "--engine", help="local, spark, dask, ray or inline (default: local, or Spark where it is active)"
    )
    both.add_argument("--workers", type=int, metavar="N", help="how many at most; default: what there is room for")
    both.add_argument("--resources", metavar="cpu=N,gpu=N", help="what one worker needs")
    both.add_argument("--seed", type=int, help="of everything that is random")
    both.add_argument("--name", help="names the experiment's folder; default: the script or module")
    both.add_argument("--dir", metavar="PATH", help="the experiment's folder; default: maggy-runs/NAME/N")
    both.add_argument("--track", action="append", metavar="NAME", help="also tell mlflow, wandb or tensorboard")
    both.add_argument("-q", "--quiet", action="store_const", const=0, dest="verbose", default=1, help="say nothing")
    both.add_argument("-v", "--verbose", action="count", help="show what trials print")


def _run(options: argparse.Namespace) -> int:
    from maggy.cli.output import finished
    from maggy.cli.settings import SETTINGS, config_of, read_settings
    from maggy.cli.target import load_target
    from maggy.errors import ConfigError
    from maggy.experiment import lagom

    settings = {} if options.config is None else read_settings(options.config)
    settings |= {name: value for name in SETTINGS if (value := getattr(options, name)) is not None}
    target = settings.get("target")
    if not isinstance(target, str):
        raise ConfigError("say what to run: maggy run script.py:train")
    settings.setdefault("name", _name(target))
    config = config_of(settings)

    def run() -> Result:
        function = load_target(target)
        tracked, engine = settings.get("track"), settings.get("engine")
        return lagom(function, config, engine=engine, track=tracked, verbose=options.verbose)

    return finished(run, as_json=options.json)


def _name(target: str) -> str:
    """What the experiment is called: the script's or module's own name."""
    place = target.rpartition(":")[0]
    return place.removesuffix(".py").rpartition("/" if place.endswith(".py") else ".")[2] or "run"
