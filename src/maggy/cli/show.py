"""`maggy show`: an experiment, or one of its trials."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maggy.cli.command import command, count

if TYPE_CHECKING:
    from maggy.cli.command import Commands

SORTS = ("metric", "trial", "start", "took")


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "show",
        _show,
        help="show what was run, with what, and how it stands; or one trial",
        examples="maggy show maggy-runs/train/3\nmaggy show maggy-runs/train/3 --trials 50 --sort took\n"
        "maggy show maggy-runs/train/3 --trial 12",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--trial", metavar="N", type=count, help="everything about this trial")
    which.add_argument("--trials", metavar="N", type=count, default=10, help="how many trials are listed (10)")
    parser.add_argument(
        "--sort", choices=SORTS, default="metric", help="which come first: the best (metric), the longest (took) ..."
    )


def _show(options: argparse.Namespace) -> int:
    from maggy.chronicle import Chronicle
    from maggy.cli.facts import experiment_facts, trial_facts
    from maggy.cli.output import print_json
    from maggy.cli.pages import print_experiment, print_trial
    from maggy.journal import ExperimentFolder

    folder = ExperimentFolder.open(options.path)
    chronicle = Chronicle.of(folder)
    if options.trial is not None:
        facts = trial_facts(folder, chronicle, options.trial)
        print_json(facts) if options.json else print_trial(facts)
    else:
        facts = experiment_facts(folder, chronicle, options.trials, options.sort)
        print_json(facts) if options.json else print_experiment(facts)
    return 0
