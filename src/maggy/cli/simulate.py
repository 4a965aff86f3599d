"""`maggy simulate`: how a search would go."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from maggy.cli.command import command, count

if TYPE_CHECKING:
    from maggy.chronicle import About
    from maggy.cli.command import Commands
    from maggy.config import HyperparameterOptConfig
    from maggy.trial import Direction

_MORE = """\
The real driver, optimizer and stopping rule, under a virtual clock: a week on a thousand workers takes seconds. SOURCE
is one of these:

- the folder of an experiment: its search again, where each configuration gets the curve, and the time, of the nearest
  one that was trained to its end there;
- a search space, a file of TOML or JSON: trials with curves that are made up, of --steps steps of --step-seconds each.
"""

_EXAMPLES = """\
maggy simulate maggy-runs/train/3 --workers 1,4,16
maggy simulate maggy-runs/train/3 --workers 8 --optimizer asha --early-stopping none
maggy simulate space.toml --trials 500 --optimizer hyperband --workers 8,64 --steps 81 --step-seconds 30
"""


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "simulate",
        _simulate,
        help="say how a search would go, with how many workers",
        more=_MORE,
        examples=_EXAMPLES,
        path=False,
    )
    parser.add_argument("source", metavar="SOURCE", help="an experiment's folder, or a file with a search space")
    parser.add_argument("--workers", metavar="N,N,...", type=_counts, default=[1, 8, 64], help="default: 1,8,64")
    parser.add_argument("--trials", metavar="N", type=count, help="how many configurations are tried")
    parser.add_argument("--optimizer", metavar="NAME[:OPTION=VALUE,...]", help="default: the one of the experiment")
    parser.add_argument("--early-stopping", metavar="NAME[:...]", help="default: that of the experiment")
    parser.add_argument("--direction", choices=("max", "min"), help="of curves that are made up (max)")
    parser.add_argument("--steps", metavar="N", type=count, default=27, help="of trials that are made up (27)")
    parser.add_argument("--step-seconds", metavar="S", type=float, default=60.0, help="that a step takes there (60)")
    parser.add_argument("--seed", type=count, default=0, help="with the same one everything comes out the same (0)")


def _counts(text: str) -> list[int]:
    numbers = [int(each) for each in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("there is at least one worker")
    return numbers


def _simulate(options: argparse.Namespace) -> int:
    from maggy.cli.output import print_json, print_table, time_span
    from maggy.simulation import simulate

    config, curves, takes_budget, resumes = _read(options)
    told = []
    for workers in options.workers:
        result = simulate(
            config, curves, workers=workers, seed=options.seed, takes_budget=takes_budget, resumes=resumes
        )
        told.append(
            {
                "workers": workers,
                "took_s": result.simulated_s,
                "busy": result.busy_share,
                "trials": len(result.trials),
                "stopped": result["early_stopped"],
                "trained_s": sum(trial.run_s for trial in result.trials),
                "best": None if result.best is None else result.best.final_metric,
                "best_params": None if result.best is None else result.best.params,
            }
        )
    if options.json:
        print_json(told)
        return 0
    print_table(
        ("workers", "took", "busy", "trials", "stopped", "training", "best"),
        [
            (
                each["workers"],
                time_span(each["took_s"]),
                f"{each['busy']:.0%}",
                each["trials"],
                each["stopped"],
                time_span(each["trained_s"]),
                each["best"],
            )
            for each in told
        ],
    )
    return 0


def _read(options: argparse.Namespace) -> tuple[HyperparameterOptConfig, Any, bool, bool]:
    """The config, the curves, whether the function takes a budget, and whether it goes on from checkpoints."""
    from maggy.cli.curves import MadeUpCurves, RecordedCurves
    from maggy.cli.settings import search_config
    from maggy.searchspace import read_space

    policies = {"optimizer": options.optimizer, "early_stopping": options.early_stopping}
    if options.source.endswith((".toml", ".json")):
        space = read_space(options.source)
        direction: Direction = options.direction or "max"
        settings = {"trials": options.trials, "direction": direction, **policies}
        curves = MadeUpCurves(space, direction, steps=options.steps, step_s=options.step_seconds, seed=options.seed)
        return search_config(settings, space, {}), curves, True, True
    from maggy.chronicle import Chronicle
    from maggy.errors import ConfigError

    chronicle = Chronicle.of(options.source)
    if not chronicle.about.is_search or chronicle.about.kind == "AblationConfig":
        raise ConfigError(f"{options.source} holds no search: there is nothing to search in it")
    config = _recorded_config(chronicle.about, {name: text for name, text in policies.items() if text is not None})
    if options.trials is not None:
        config = replace(config, num_trials=options.trials)
    assert config.searchspace is not None
    takes_budget = bool(chronicle.about.raw.get("takes_budget"))
    resumes = any(trial.checkpoint is not None for trial in chronicle.trials.values())
    return config, RecordedCurves(chronicle, config.searchspace), takes_budget, resumes


def _recorded_config(about: About, given: dict[str, str]) -> HyperparameterOptConfig:
    """What the experiment was begun with, with one objective, and with the policies that are given."""
    from maggy.cli.settings import search_config
    from maggy.config import HyperparameterOptConfig
    from maggy.errors import ResumeError
    from maggy.resuming import Begun
    from maggy.searchspace import space_from_document

    first, said = about.objectives[0], about.raw["config"]
    one: dict[str, Any] = {"optimization_key": first.key, "direction": first.direction}
    try:
        begun = Begun.read(about.url).recipe().thaw()
    except ResumeError:  # its function was not kept; what its description says will do
        if about.space is None:
            raise
        policies = {"optimizer": said["optimizer"], "early_stopping": said["es_policy"], **given}
        return search_config({"trials": about.num_trials, **policies}, space_from_document(about.space), one)
    assert isinstance(begun, HyperparameterOptConfig) and begun.searchspace is not None
    other = search_config({"trials": 1, **given}, begun.searchspace, {})
    names = {"optimizer": "optimizer", "early_stopping": "es_policy"}
    changes: dict[str, Any] = {names[name]: getattr(other, names[name]) for name in given}
    return replace(begun, workers_per_trial=1, **one, **changes)
