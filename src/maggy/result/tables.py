"""Tables of trials and of what they reported."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from maggy.errors import ConfigError
from maggy.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from maggy.result.story import Story

COLUMNS = (
    *("trial_id", "state", "metric", "best_metric", "start", "duration_s", "worker", "attempt", "reason", "budget"),
    *("rung", "bracket", "origin", "parent", "run_s", "notes", "error", "checkpoint"),
)
"""Of the table of trials; one for each hyperparameter follows."""


def of_trials(trials: Sequence[Trial], who: str) -> pd.DataFrame:
    """One row for each trial.

    who  what the error names if pandas is not installed
    """
    rows = [
        {
            "trial_id": trial.trial_id,
            "state": str(trial.state),
            "metric": trial.final_metric,
            "best_metric": trial.best_metric,
            "start": trial.start,
            "duration_s": None if trial.duration is None else trial.duration / 1000,
            "worker": trial.worker,
            "attempt": trial.attempt,
            "reason": trial.reason,
            "budget": trial.budget,
            "rung": trial.rung,
            "bracket": trial.bracket,
            "origin": trial.origin,
            "parent": trial.parent,
            "run_s": trial.run_s,
            "notes": "; ".join(trial.notes),
            "error": trial.error,
            "checkpoint": None if trial.checkpoint is None else trial.checkpoint.url,
            **_named(trial.params),
        }
        for trial in trials
    ]
    return _pandas(who).DataFrame(rows, columns=None if rows else list(COLUMNS))


def of_points(story: Story, *, params: bool, who: str) -> pd.DataFrame:
    """One row for each point of the curve of each trial, trial by trial.

    params  whether there is a column for each hyperparameter too
    """
    pd = _pandas(who)
    points = story.points
    kept = list(story.counting())
    table = pd.DataFrame(
        {
            "trial_id": [points.trials[place] for place in kept],
            "attempt": [points.attempts[place] for place in kept],
            "step": [points.steps[place] for place in kept],
            "metric": [points.values[place] for place in kept],
            "time": [points.times[place] for place in kept],
        }
    )
    table = table.sort_values("trial_id", kind="stable", ignore_index=True)
    if params:
        numbers = [int(number) for number in table["trial_id"].unique()]
        rows = [{"trial_id": number, **_named(story.chronicle.trials[number].params)} for number in numbers]
        if rows:
            table = table.merge(pd.DataFrame(rows), on="trial_id", how="left")
    return table


def write(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as .csv, .parquet or .json, which the suffix says.

    Lists and dicts in its cells become JSON text, but for .json.

    Raises ConfigError for another suffix.
    """
    path = os.fspath(path)
    suffix = PurePath(path).suffix
    if suffix == ".csv":
        _flattened(table).to_csv(path, index=False)
    elif suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise ImportError("a .parquet file needs pyarrow: pip install pyarrow") from error
        _flattened(table).to_parquet(path, index=False)
    elif suffix == ".json":
        table.to_json(path, orient="records", indent=1, double_precision=15)
    else:
        raise ConfigError(f"a table is written as .csv, .parquet or .json, not as {suffix or path!r}")


def _flattened(table: pd.DataFrame) -> pd.DataFrame:
    """The table with cells that any file can hold; a column of values of several types becomes one of text."""
    table = table.copy()
    for name in [name for name in table.columns if table[name].dtype == "object"]:
        kinds = {type(value) for value in table[name] if value is not None and value == value}
        if kinds - {str} and (len(kinds) > 1 or kinds & {list, dict, tuple}):
            table[name] = [_text(value) for value in table[name]]
    return table


def _text(value: Any) -> Any:
    return value if value is None or value != value or isinstance(value, str) else json.dumps(value)


def _named(params: Mapping[str, Any]) -> dict[str, Any]:
    return {f"hp_{name}": value for name, value in params.items()}


def _pandas(who: str) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{who} needs pandas: pip install pandas") from error
    return pd
