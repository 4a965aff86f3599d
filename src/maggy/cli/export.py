"""`maggy export`: trials and curves for other programs."""

from __future__ import annotations

import argparse
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from maggy.cli.command import command

if TYPE_CHECKING:
    import pandas as pd

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

    table = _table(options.path, curves=options.curves)
    if options.output is not None:
        try:
            _write(table, options.output)
        except OSError as error:
            raise ExperimentDirError(f"{options.output} cannot be written: {error}") from error
    if options.json:
        print_json({"rows": len(table), "output": options.output} if options.output else table.to_dict("records"))
    elif options.output is None:
        print(table.to_csv(index=False), end="")
    else:
        print(f"{len(table)} rows in {options.output}")
    return 0


def _table(path: str, *, curves: bool) -> pd.DataFrame:
    from maggy.chronicle import Chronicle
    from maggy.result import Result

    chronicle = Chronicle.of(path)
    result = Result.of_search(
        chronicle.ended, chronicle.about.objectives, experiment_dir=chronicle.about.url, interrupted=False
    )
    trials = result.to_pandas()
    if not curves:
        return trials
    points = [
        {"trial_id": trial.trial_id, "attempt": trial.attempt, "step": step, "metric": metric}
        for trial in chronicle.trials.values()
        for step, metric in zip(trial.step_history, trial.metric_history, strict=True)
    ]
    hyperparameters = [name for name in trials.columns if name.startswith("hp_")]
    table = type(trials)(points, columns=["trial_id", "attempt", "step", "metric"])
    return table.merge(trials[["trial_id", *hyperparameters]], on="trial_id", how="left") if len(trials) else table


def _write(table: pd.DataFrame, path: str) -> None:
    """Raises ConfigError for a suffix that no table has."""
    from maggy.errors import ConfigError

    match PurePath(path).suffix:
        case ".csv":
            table.to_csv(path, index=False)
        case ".json":
            table.to_json(path, orient="records", indent=1, double_precision=15)
        case ".parquet":
            for name in table.columns[table.dtypes == "object"]:
                table[name] = [_text(value) for value in table[name]]
            table.to_parquet(path, index=False)
        case suffix:
            raise ConfigError(f"a table is written as .csv, .parquet or .json, not as {suffix or path!r}")


def _text(value: Any) -> Any:
    """A value of a column that may hold several types."""
    return value if value is None or value != value or isinstance(value, str) else json.dumps(value)
