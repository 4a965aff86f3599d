"""`maggy export`: trials and curves for other programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "export",
        _export,
        help="write the trials that have ended as a table, or every point that they reported",
        more="Hyperparameters are columns that begin with hp_. Needs pandas: pip install 'maggy[tune]'.",
        examples="maggy export maggy-runs/train/3 -o trials.csv\nmaggy export maggy-runs/train/3 --curves -o "
        "curves.parquet\nmaggy export maggy-runs/train/3 | head",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help=".csv, .parquet or .json; default: CSV on stdout")
    parser.add_argument("--curves", action="store_true", help="one row for each point that a trial reported")


def _export(options: argparse.Namespace) -> int:
    from maggy.cli.output import print_json
    from maggy.errors import ExperimentDirError
    from maggy.result import Result

    result = Result.load(options.path)
    table = result.curves(params=True) if options.curves else result.to_pandas()
    if options.output is not None:
        try:
            result.export(options.output, curves=options.curves)
        except OSError as error:
            raise ExperimentDirError(f"{options.output} cannot be written: {error}") from error
    if options.json:
        print_json({"rows": len(table), "output": options.output} if options.output else table.to_dict("records"))
    elif options.output is None:
        print(table.to_csv(index=False), end="")
    else:
        print(f"{len(table)} rows in {options.output}")
    return 0
