"""Scenes by hand."""

from __future__ import annotations

import io
import threading

from maggy.chronicle import About
from maggy.journal import Record
from maggy.tracking.scene import Scene

PATIENCE_S = 30


def about(trials: int = 9, *, name: str = "MNIST", direction: str = "max", search: bool = True) -> About:
    """An experiment as its experiment.json would describe it."""
    config = {"name": name, **({"direction": direction, "optimization_key": "Metric"} if search else {})}
    kind = "HyperparameterOptConfig" if search else "BaseConfig"
    described = {"config": config, "kind": kind, "num_trials": trials, "seed": 1, "engine": "local", "started": 0.0}
    return About.of("/runs/MNIST/1", described)


def records(*events, t: float = 0.0):
    return [Record(n, t, event) for n, event in enumerate(events)]


def scene(*events, **settings) -> Scene:
    """The scene after these events."""
    seen = Scene(about(**settings))
    for record in records(*events):
        seen.add(record)
    return seen


class Screen(io.StringIO):
    """A stream whose reader can wait for a text to appear."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal
        self._written = threading.Condition()

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        with self._written:
            self._written.notify_all()
            return super().write(text)

    def wait_for(self, text: str) -> None:
        with self._written:
            assert self._written.wait_for(lambda: text in self.getvalue(), PATIENCE_S), self.getvalue()
