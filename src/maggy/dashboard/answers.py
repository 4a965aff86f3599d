"""What the page is told: plain values, made from what is known at this moment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from maggy.chronicle import Chronicle, Tally
from maggy.dashboard.catalog import Catalog, Experiment
from maggy.dashboard.reading import Reading
from maggy.dashboard.trials import page, param_names, row
from maggy.shelf import state_of
from maggy.trial import Trial, TrialState, flat

_TAIL_BYTES, _LOG_BYTES = 64 << 10, 256 << 10  # of a log at first, and in one answer after that
_LIVE = ("running", "unfinished")
_COURSE = 500  # points of one experiment in a comparison
_NO_DIFFERENCE = ("started", "id", "sources", "policies", "design", "config.experiment_dir")  # or its code_hash tells


def may_stop(state: str) -> dict[str, Any]:
    """Whether its driver can be asked to stop an experiment, and why not."""
    reasons = {
        "complete": "It is complete.",
        "interrupted": "It was stopped already.",
        "failed": "It has ended.",
        "crashed": "No driver is alive that could stop it; maggy resume goes on with it.",
        "reading": "Its journal is being read.",
        "damaged": "Its journal cannot be read; maggy stop asks its driver all the same.",
    }
    return {"ok": state not in reasons, "why": reasons.get(state, "")}


def may_stop_trial(trial: Trial, state: str) -> dict[str, Any]:
    """Whether the driver of an experiment in this state can be asked to stop a trial of it, and why not."""
    if trial.state.final:
        return {"ok": False, "why": "It has ended."}
    if trial.state is TrialState.PENDING and may_stop(state)["ok"]:
        return {"ok": False, "why": "It waits for a worker; it can be stopped once it runs."}
    return may_stop(state)


def listing(catalog: Catalog) -> dict[str, Any]:
    """Every experiment, the newest first."""
    rows = [_glance(experiment) for experiment in catalog.experiments()]
    rows.sort(key=lambda each: each["started"] or 0.0, reverse=True)
    return {"root": catalog.root, "error": catalog.error, "experiments": rows}


def status(experiment: Experiment, reading: Reading[Chronicle]) -> dict[str, Any]:
    """All that the head of an experiment's page shows."""
    with reading.lock:
        chronicle, about = reading.book, reading.about
        if chronicle is None or about is None:
            return {**_names(experiment, reading), "state": "damaged" if reading.error else "reading"}
        state = state_now(reading)
        trials = chronicle.trials.values()
        return {
            **_names(experiment, reading),
            **_numbers(reading, chronicle.tally, state),
            "may_stop": may_stop(state),
            "kind": about.kind,
            "description": about.description,
            "objectives": [{"key": each.key, "direction": each.direction} for each in about.objectives],
            "engine": about.engine,
            "seed": about.seed,
            "drivers": len(chronicle.drivers),
            "workers_ever": len(chronicle.workers),
            "is_search": about.is_search,
            "params": param_names(trials),
            "has_rungs": any(trial.rung is not None for trial in islice(trials, 50)),
        }


def trial_table(chronicle: Chronicle, trials: Sequence[Trial], number: int, size: int, state: str) -> dict[str, Any]:
    """A page of the trials that were chosen, of an experiment in this state."""
    rows, number = page(trials, number, size)
    now = _now(chronicle, state)
    return {
        "rows": [row(trial, now) for trial in rows],
        "found": len(trials),
        "all": len(chronicle.trials),
        "page": number,
        "size": size,
        "best": None if (best := chronicle.best) is None else best.trial_id,
    }


def trial_page(chronicle: Chronicle, trial: Trial, state: str) -> dict[str, Any]:
    """Everything about one trial, but its log."""
    spans = [span for span in chronicle.spans if span.trial == trial.trial_id]
    curve, now = trial.curve, _now(chronicle, state)
    ending = chronicle.tally.ending is not None
    return {
        **row(trial, now),
        "final_metric": trial.final_metric,
        "outputs": None if trial.metric_dict is None else dict(trial.metric_dict),
        "end": trial.end,
        "error": trial.error,
        "traceback": trial.traceback,
        "reason": trial.reason,
        "notes": trial.notes,
        "info": trial.info_dict,
        "rungs": trial.rungs,
        "parent": trial.parent,
        "checkpoint": None if trial.checkpoint is None else trial.checkpoint.url,
        "workers": trial.workers,
        "curve": _thinned(curve.steps, curve.values) if curve is not None else {"steps": [], "values": [], "of": 0},
        "attempts": [
            {
                "attempt": span.attempt,
                "worker": span.worker,
                "start": span.start,
                "end": span.end,
                "state": None if span.state is None else str(span.state),
            }
            for span in spans
        ],
        "decisions": [{"t": each.t, "text": each.text} for each in chronicle.decisions if each.trial == trial.trial_id],
        "best": (best := chronicle.best) is not None and best.trial_id == trial.trial_id,
        "over": ending,
        "may_stop": may_stop_trial(trial, state),
    }


def log(reading: Reading[Chronicle], trial: int, start: int | None) -> dict[str, Any]:
    """What a trial has printed.

    start  byte to go on from; None: the last part
    """
    assert reading.folder is not None
    place, name = reading.folder.place, f"trials/{trial}/output.log"
    size = place.sizes(f"trials/{trial}").get(name, 0)
    begin = max(0, size - _TAIL_BYTES) if start is None else max(0, min(start, size))
    data = bytearray()
    if begin < size:
        for block in place.blocks(name, begin):
            data += block
            if len(data) >= _LOG_BYTES:
                break
    del data[_LOG_BYTES:]
    if start is None and begin:  # from the first whole line; of one that is longer than all this, what there is
        cut = data.find(b"\n") + 1
        if cut < len(data):
            begin, data = begin + cut, data[cut:]
    while data and len(data) < 4 + _LOG_BYTES:  # a character that is written by half comes with the next answer
        try:
            data.decode()
            break
        except UnicodeDecodeError as error:
            if error.start < len(data) - 3:
                break
            del data[error.start :]
    return {"text": data.decode(errors="replace"), "start": begin, "end": begin + len(data), "size": size}


def workers(chronicle: Chronicle) -> dict[str, Any]:
    """Every worker that was ever there, the present ones first."""
    busy: dict[int, int] = {}
    done: dict[int, int] = {}
    for span in chronicle.spans:
        if span.end is None:
            busy[span.worker] = span.trial
        else:
            done[span.worker] = done.get(span.worker, 0) + 1
    rows = [
        {
            "worker": each.number,
            "seat": each.seat,
            "host": each.host,
            "pid": each.pid,
            "joined": each.joined,
            "lost": each.lost,
            "reason": each.reason,
            "trial": busy.get(each.number),
            "done": done.get(each.number, 0),
        }
        for each in chronicle.workers.values()
    ]
    rows.sort(key=lambda each: (each["lost"] is not None, each["worker"]))
    return {"rows": rows[:1000], "all": len(rows)}


def decisions(chronicle: Chronicle) -> dict[str, Any]:
    """The last reasons, the newest first."""
    rows = [{"t": each.t, "trial": each.trial, "text": each.text} for each in reversed(chronicle.decisions)]
    return {"rows": rows[:300], "all": len(rows)}


def compare(readings: Sequence[tuple[Experiment, Reading[Chronicle]]]) -> dict[str, Any]:
    """Several experiments side by side: the course of the best, results, and in what their configurations differ."""
    found: list[dict[str, Any]] = []
    configs: list[dict[str, Any]] = []
    for experiment, reading in readings:
        with reading.lock:
            chronicle, about = reading.book, reading.about
            if chronicle is None or about is None:
                found.append({**_names(experiment, reading), "state": "damaged" if reading.error else "reading"})
                configs.append({})
                continue
            numbers = _numbers(reading, chronicle.tally, state_now(reading))
            found.append(
                {
                    **_names(experiment, reading),
                    **numbers,
                    "metric": about.objectives[0].key,
                    "direction": about.objectives[0].direction,
                    "course": _course(chronicle),
                }
            )
            configs.append({name: value for name, value in flat(about.raw).items() if not _is_noise(name)})
    names = dict.fromkeys(name for config in configs for name in config)
    differing = [name for name in names if any(config.get(name) != configs[0].get(name) for config in configs[1:])]
    return {
        "experiments": found,
        "differences": [{"name": name, "values": [config.get(name) for config in configs]} for name in differing],
    }


def _is_noise(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in _NO_DIFFERENCE)


def _course(chronicle: Chronicle) -> dict[str, list[float]]:
    """Where the best so far changed: trials that had ended by then, seconds since the start, and the metric."""
    sign = chronicle.about.objectives[0].sign
    began = chronicle.drivers[0] if chronicle.drivers else chronicle.about.started
    count, best, last = 0, None, None
    points: list[tuple[int, float, float]] = []
    for trial in chronicle.ended:
        count += 1
        last = trial.end if trial.end is not None else last
        value = trial.final_metric if trial.state.has_result else None
        if value is not None and value == value and (best is None or sign * value < sign * best):
            best = value
            points.append((count, (trial.end or began) - began, value))
    if best is not None and last is not None and count > points[-1][0]:
        points.append((count, last - began, best))
    points = points[-_COURSE:]
    return {
        "trials": [each[0] for each in points],
        "seconds": [each[1] for each in points],
        "best": [each[2] for each in points],
    }


def _glance(experiment: Experiment) -> dict[str, Any]:
    reading = experiment.glance
    with reading.lock:
        names = _names(experiment, reading)
        if reading.book is None or reading.about is None:
            return {**names, "state": "damaged" if reading.error else "reading", "started": None}
        about = reading.about
        return {
            **names,
            **_numbers(reading, reading.book, state_now(reading)),
            "metric": about.objectives[0].key,
            "direction": about.objectives[0].direction,
            "engine": about.engine,
        }


def _names(experiment: Experiment, reading: Reading[Any]) -> dict[str, Any]:
    return {
        "id": experiment.id,
        "path": experiment.path,
        "url": experiment.url,
        "name": experiment.path if reading.about is None else reading.about.name,
        "error": reading.error,
        "whole": reading.whole,
        "records": reading.records,
        "version": reading.version,
        "last_t": reading.last_t,
    }


def _numbers(reading: Reading[Any], tally: Tally, state: str) -> dict[str, Any]:
    assert reading.about is not None
    live = state in _LIVE
    now = time.time() if live else reading.last_t or reading.about.started
    numbers = tally.status(now)
    if not live:  # nobody works on what was running
        numbers |= {"time_left_s": None, "utilisation": tally.utilisation(now), "workers": 0, "running": 0}
    return {**numbers, "state": state, "started": reading.about.started, "seconds": now - reading.about.started}


def state_now(reading: Reading[Any]) -> str:
    """How an experiment stands, see `maggy.shelf.State`; "reading" until its journal is read, "damaged" if it fails."""
    if reading.error is not None:
        return "damaged"
    if not reading.whole:
        return "reading"
    assert reading.folder is not None and reading.book is not None
    return state_of(reading.folder, reading.book if isinstance(reading.book, Tally) else reading.book.tally)


def _now(chronicle: Chronicle, state: str) -> float:
    """Until when what runs has run: where no driver is alive, nothing has since its last record."""
    return time.time() if state in _LIVE else chronicle.last_t or 0.0


def _thinned(steps: Sequence[int], values: Sequence[float], most: int = 1000) -> dict[str, Any]:
    """A curve of so many points at most; the last one is among them."""
    every = -(-len(steps) // most) or 1
    places = sorted({*range(0, len(steps), every), *([len(steps) - 1] if steps else [])})
    return {"steps": [steps[i] for i in places], "values": [values[i] for i in places], "of": len(steps)}


def config(reading: Reading[Chronicle]) -> Mapping[str, Any]:
    """experiment.json as it lies there."""
    assert reading.about is not None
    return reading.about.raw
