"""What `maggy show` tells, as JSON values."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf, isnan
from typing import Any

from maggy.chronicle import Chronicle
from maggy.cli.logfiles import LogFiles
from maggy.errors import ExperimentDirError
from maggy.journal import ExperimentFolder
from maggy.shelf import state_of
from maggy.trial import Trial

_LOG_LINES = 20


def experiment_facts(folder: ExperimentFolder, chronicle: Chronicle, most: int, sort: str) -> dict[str, Any]:
    """An experiment, with at most so many of its trials."""
    about, tally = chronicle.about, chronicle.tally
    state = state_of(folder, tally)
    now = time.time() if state == "running" else chronicle.last_t
    left = tally.time_left(now) if now is not None and state == "running" else None
    raw = about.raw
    best = chronicle.best
    trials = sorted(chronicle.trials.values(), key=_order(sort, about.objectives[0].sign))
    going_on = state in ("running", "unfinished")
    return {
        "name": about.name,
        "description": about.description,
        "kind": about.kind,
        "folder": about.url,
        "state": state,
        "started": about.started,
        "drivers": len(chronicle.drivers),
        "took_s": None if now is None or not chronicle.drivers else now - chronicle.drivers[0],
        "time_left_s": None if left is None else [left.seconds, left.low, left.high],
        "utilisation": None if now is None else tally.utilisation(now),
        "workers": {"now": tally.workers if state == "running" else 0, "ever": len(chronicle.workers)},
        "trials": {
            "of": about.num_trials,
            "ended": tally.ended,
            "running": tally.running if state == "running" else 0,
            **{str(each): number for each, number in tally.states.items() if number},
        },
        "last_reason": tally.last_reason,
        "objectives": [{"key": each.key, "direction": each.direction} for each in about.objectives],
        "best": None if best is None else _row(best, going_on),
        "function": raw.get("function"),
        "script": raw.get("script"),
        "code_hash": raw.get("code_hash"),
        "git": raw.get("git"),
        "config": raw["config"],
        "seed": about.seed,
        "engine": about.engine,
        "engine_says": raw.get("engine_says"),
        "seats": raw.get("seats"),
        "machine": raw.get("machine"),
        "versions": raw.get("versions"),
        "data": raw.get("data"),
        "listed": [_row(trial, going_on) for trial in trials[:most]],
    }


def trial_facts(folder: ExperimentFolder, chronicle: Chronicle, number: int) -> dict[str, Any]:
    """Everything about one trial. Raises ExperimentDirError if there is none of that number."""
    trial = chronicle.trials.get(number)
    if trial is None:
        last = max(chronicle.trials, default=None)
        there = "no trial was begun yet" if last is None else f"the last one is trial {last}"
        raise ExperimentDirError(f"{folder.url} has no trial {number}: {there}")
    runs = [
        {
            "attempt": span.attempt,
            "worker": span.worker,
            "host": chronicle.workers[span.worker].host if span.worker in chronicle.workers else None,
            "start": span.start,
            "took_s": None if span.end is None else span.end - span.start,
        }
        for span in chronicle.spans
        if span.trial == number
    ]
    checkpoint = trial.checkpoint
    return {
        **_row(trial, state_of(folder, chronicle.tally) in ("running", "unfinished")),
        "outputs": trial.metric_dict,
        "points": trial.num_points,
        "curve": {"steps": trial.step_history, "values": trial.metric_history},
        "rung": trial.rung,
        "bracket": trial.bracket,
        "rungs": [{"budget": budget, "metric": metric} for budget, metric in trial.rungs],
        "origin": trial.origin,
        "parent": trial.parent,
        "notes": trial.notes,
        "reason": trial.reason,
        "decisions": [{"t": each.t, "text": each.text} for each in chronicle.decisions if each.trial == number],
        "runs": runs,
        "checkpoint": None if checkpoint is None else {"url": checkpoint.url, "step": checkpoint.step},
        "error": trial.error,
        "traceback": trial.traceback,
        "log": [line for _, _, line in LogFiles(folder, trial=number).new(whole=True)[-_LOG_LINES:]],
    }


def _row(trial: Trial, going_on: bool) -> dict[str, Any]:
    return {
        "trial": trial.trial_id,
        "state": str(trial.state) if going_on or trial.state.final else "unfinished",
        "metric": trial.final_metric,
        "best_metric": trial.best_metric,
        "params": trial.params,
        "budget": trial.budget,
        "worker": trial.worker,
        "start": trial.start,
        "took_s": trial.run_s if trial.end is not None else None,
    }


def _order(sort: str, sign: float) -> Callable[[Trial], tuple[float, int]]:
    """What a list of trials is sorted by; of equals the earlier comes first, and last those without a value."""

    def key(trial: Trial) -> tuple[float, int]:
        number = trial.trial_id or 0
        match sort:
            case "metric":
                metric = trial.final_metric if trial.state.has_result else None
                return (inf if metric is None or isnan(metric) else sign * metric, number)
            case "took":
                return (-trial.run_s, number)
            case "start":
                return (inf if trial.start is None else trial.start, number)
        return (0.0, number)

    return key
