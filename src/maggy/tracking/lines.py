"""Progress where there is no terminal: plain lines, few enough for the log of a run of days."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from maggy.tracking.scene import Scene
from maggy.tracking.terminal import standing
from maggy.tracking.tracker import Tracking
from maggy.tracking.words import one_line, show_left, show_metric, show_params
from maggy.trial import TrialState

if TYPE_CHECKING:
    from rich.console import Console

_LEAST_S, _MOST_S = 1.0, 30.0  # between two lines
_SHARE, _NOTABLE_SHARE = 1 / 60, 1 / 600  # of the time that has passed


def pause_s(elapsed_s: float, notable: bool) -> float:
    """How long a change waits for its line: it grows with the time that has passed, so that long runs say little.

    notable  whether there is a new best, or a trial has failed
    """
    return min(_MOST_S, max(_LEAST_S, elapsed_s * (_NOTABLE_SHARE if notable else _SHARE)))


class Lines:
    """Says where a scene stands, whenever that has changed."""

    every_s = 0.1

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: list[str] = []
        self._notable: object = None
        self._said_at = 0.0

    def begin(self, scene: Scene) -> None:
        """Nothing has happened that is worth a line."""
        self._said_at, self._notable = time.monotonic(), _notable(scene)

    def draw(self, scene: Scene, others: Sequence[Tracking]) -> None:
        """Say it, if something has changed and the last line is long enough ago."""
        now, notable = time.monotonic(), _notable(scene)
        if now - self._said_at >= pause_s(scene.elapsed_s, notable != self._notable):
            self._say(scene, others, now)

    def end(self, scene: Scene, others: Sequence[Tracking], failed: bool) -> None:
        """Say the last of it."""
        self._say(scene, others, time.monotonic())

    def say(self, line: str) -> None:
        """Print another line; from any thread."""
        self._console.print(line, markup=False, soft_wrap=True)

    def _say(self, scene: Scene, others: Sequence[Tracking], now: float) -> None:
        left = show_left(scene.tally.time_left(time.time()))
        own = line(scene)
        lines = [*(other.line for other in others if other.line is not None), own]
        for each in lines:
            if each not in self._said:
                self.say(f"{own}, {left}" if each is own and left else each)
                self._said_at, self._notable = now, _notable(scene)
        self._said = lines


def line(scene: Scene) -> str:
    """Where a scene stands, but for the time."""
    tally, newest = scene.tally, scene.newest
    parts = standing(scene)
    if scene.about.is_search:
        if tally.best is not None:
            which = f"trial {tally.best_trial}: {show_params(tally.best_params)}".rstrip(": ")
            parts.append(f"best {show_metric(tally.best)} ({which})")
    elif newest is not None and newest.last is not None:
        step, metric = newest.last
        parts.append(f"{show_metric(metric)} at step {step:g}")
    return f"{one_line(scene.about.name)}: {', '.join(parts)}"


def _notable(scene: Scene) -> tuple[float | None, int]:
    states = scene.tally.states
    return scene.tally.best, states[TrialState.FAILED] + states[TrialState.LOST]
