"""What the widget in the page knows of an experiment: JSON values, of a bounded size, sent twice a second at most."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maggy.tracking.scene import Line, Scene
from maggy.tracking.terminal import standing
from maggy.tracking.words import clock, crew, one_line, show_left, show_metric, show_params
from maggy.trial import TrialState

_LINES, _POINTS, _COURSE = 20, 100, 300  # trials in a chart, points of each; points of the best so far
_LOGS, _LOG_LINES, _LOG_WIDTH = 24, 200, 300  # trials and workers with logs, lines of each, characters of a line
_LOG_BYTES, _TAIL_BYTES = 96 << 10, 32 << 10  # of all logs together; read from the end of a file


def state_of(scene: Scene, above: str, over: str) -> dict[str, Any]:
    """Where a scene stands.

    above  what trackers have to show
    over   "" while it goes on, "failed", or "over"
    """
    tally, about, now = scene.tally, scene.about, time.time()
    state = "running" if tally.ending is None else str(tally.ending)
    best = ""
    if about.is_search and tally.best is not None:
        best = f"trial {tally.best_trial}: {show_params(tally.best_params)}"
    lines = _chosen(scene)
    return {
        "name": one_line(about.name),
        "search": about.is_search,
        "state": "failed" if over == "failed" else "interrupted" if over and state == "running" else state,
        "counts": ", ".join(standing(scene)),
        "time": ", ".join(filter(None, (clock(scene.elapsed_s), "" if over else show_left(tally.time_left(now))))),
        "crew": "" if over else crew(tally, now),
        "total": tally.num_trials,
        "ended": tally.ended,
        "parts": {str(state): tally.states[state] for state in TrialState if state.final},
        "best": show_metric(tally.best) if best else "",
        "best_trial": tally.best_trial,
        "config": best,
        "why": "" if state == "complete" else one_line(tally.last_reason),
        "failure": one_line(scene.failure),
        "folder": about.url,
        "metric": about.objectives[0].key,
        "course": [[count, _short(metric)] for count, metric in scene.course[-_COURSE:]],
        "dots": [[count, _short(metric)] for count, metric in scene.dots.kept],
        "curves": [_drawn(line, line.curve.kept) for line in lines if line.curve.kept],
        "reached": [[budget, _short(metric)] for budget, metric in scene.rungs.kept],
        "rungs": [_drawn(line, line.rungs) for line in lines if line.rungs],
        "above": above,
    }


def _chosen(scene: Scene) -> list[Line]:
    """The lines that are drawn: of the trials that run, those that began last; the best and the last of the others."""
    running = [line for line in scene.lines.values() if line.state == "running"]
    others = [line for line in scene.lines.values() if line.state != "running"]
    newest = sorted(running, key=lambda line: line.trial)[len(others) - _LINES :]
    return sorted([*others, *newest], key=lambda line: line.trial)


def _drawn(line: Line, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    every = -(-len(points) // _POINTS)
    thinned = [*points[:-1:every], points[-1]]
    return {"trial": line.trial, "state": line.state, "points": [[step, _short(value)] for step, value in thinned]}


def _short(value: float) -> float:
    return float(f"{value:.6g}")


class Tails:
    """The ends of the logs of some trials and workers.

    folder  that holds `trials/<id>/output.log` and `workers/<n>.log`; None for none
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, list[str]]] = {}

    def read(self, scene: Scene) -> dict[str, list[str]]:
        """The last lines of each log that there is, by whose it is: trials that run, workers, trials that have run."""
        if self._folder is None:
            return {}
        lines = sorted(_chosen(scene), key=lambda line: (line.state != "running", -line.trial))
        running = sum(line.state == "running" for line in lines)
        trials = [(f"trial {line.trial}", f"trials/{line.trial}/output.log") for line in lines]
        workers = [(f"worker {number}", f"workers/{number}.log") for number in sorted(scene.tally.brain.workers)]
        names = dict([*trials[:running], *workers, *trials[running:]])
        found: dict[str, tuple[int, list[str]]] = {}
        for whose, name in names.items():
            if len(found) < _LOGS and (tail := self._tail(self._folder / name, self._known.get(whose))) is not None:
                found[whose] = tail
        self._known = found
        share = _LOG_BYTES // max(1, len(found))
        return {whose: _within(lines, share) for whose, (_, lines) in found.items()}

    def _tail(self, path: Path, known: tuple[int, list[str]] | None) -> tuple[int, list[str]] | None:
        try:
            size = path.stat().st_size
            if known is not None and known[0] == size:
                return known
            with path.open("rb") as file:
                file.seek(max(0, size - _TAIL_BYTES), os.SEEK_SET)
                text = file.read(_TAIL_BYTES).decode(errors="replace")
        except OSError:  # nobody has printed anything
            return None
        lines = text.splitlines()[1 if size > _TAIL_BYTES else 0 :]
        return size, [line[:_LOG_WIDTH] for line in lines[-_LOG_LINES:]]


def _within(lines: list[str], most: int) -> list[str]:
    """As many of the last lines as there is room for."""
    size = 0
    for number, line in enumerate(reversed(lines)):
        size += len(line) + 4
        if size > most:
            return lines[len(lines) - number :]
    return lines
