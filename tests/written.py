"""Folders of experiments, written record by record: as large as one likes, in seconds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from maggy.brain.events import (
    AnyEvent,
    DriverStarted,
    Judged,
    MetricsReported,
    Suggested,
    TrialFailed,
    TrialFinished,
    TrialStopped,
    WorkerJoined,
)
from maggy.journal import ExperimentFolder
from maggy.journal.folder import to_json
from maggy.journal.record import Record, to_line

BEGAN = 1_790_000_000.0
WORKERS = 8
SPACE = {
    "lr": ["DOUBLE", [1e-4, 0.1], {"log": True}],
    "units": ["INTEGER", [16, 256]],
    "kind": ["CATEGORICAL", ["a", "b"]],
}


def write_experiment(
    path: Path, trials: int, *, planned: int | None = None, name: str = "written", seed: int = 7
) -> Path:
    """A search for the largest accuracy by eight workers: every tenth trial is stopped early, trials 5, 105, ... fail.

    planned  how many trials there were to be; None: these. With more of them, the driver has gone without a word
    """
    folder = ExperimentFolder.create(path, name)
    about = {
        "kind": "HyperparameterOptConfig",
        "config": {"name": name, "optimization_key": "accuracy", "direction": "max", "searchspace": SPACE},
        "num_trials": planned or trials,
        "seed": seed,
        "engine": "local",
        "started": BEGAN,
    }
    folder.write("experiment.json", to_json(about))
    events = _events(trials, planned or trials, np.random.default_rng(seed))
    lines = b"".join(to_line(Record(n, BEGAN + n / 100, event)) for n, event in enumerate(events))
    folder.write("journal/00000000-00000000.jsonl", lines)
    folder.close()
    return path


def _events(trials: int, planned: int, rng: np.random.Generator) -> list[AnyEvent]:
    events: list[AnyEvent] = [DriverStarted(epoch=0, num_trials=planned)]
    events += [WorkerJoined(worker=n, seat=n, host="here", pid=1000 + n) for n in range(WORKERS)]
    draws = rng.random((trials, 2))
    for first in range(0, trials, WORKERS):
        numbers = range(first, min(first + WORKERS, trials))
        events += [Suggested(ask=n, trial=n, params=_params(n, draws[n]), origin="random") for n in numbers]
        for n in numbers:
            final = _accuracy(draws[n])
            values: list[Any] = [round(final * share, 5) for share in (0.5, 0.8, 1.0)]
            if n % 100 == 5:
                error = "ValueError: no such thing"
                events.append(TrialFailed(trial=n, attempt=0, error=error, signature="ValueError", traceback=error))
                continue
            stops = n % 10 == 9
            count = 2 if stops else 3
            events.append(MetricsReported(trial=n, attempt=0, steps=list(range(count)), values=values[:count]))
            if stops:
                events.append(Judged(trial=n, attempt=0, step=1, stop=True, reason="median rule: worse than others"))
                events.append(TrialStopped(trial=n, attempt=0, metric=values[1]))
            else:
                events.append(TrialFinished(trial=n, attempt=0, metric=values[2]))
    return events


def _params(n: int, draw: Any) -> dict[str, Any]:
    return {"lr": 10 ** (-4 + 3 * float(draw[0])), "units": 16 + int(240 * draw[1]), "kind": "ab"[n % 2]}


def _accuracy(draw: Any) -> float:
    return float(0.9 - 0.5 * (draw[0] - 0.6) ** 2 - 0.2 * (draw[1] - 0.4) ** 2 - 0.01 * math.sin(40 * draw[0]))
