"""All that a folder tells of its experiment, read once."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from maggy.brain import events as ev
from maggy.chronicle import About, Chronicle
from maggy.journal import ExperimentFolder, read


@dataclass
class Points:
    """Every point that was reported, in the order in which the driver heard of it; one entry of each for each point.

    times  seconds since the epoch
    """

    trials: array[int] = field(default_factory=lambda: array("q"))
    attempts: array[int] = field(default_factory=lambda: array("q"))
    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] = field(default_factory=lambda: array("d"))

    def add(self, event: ev.MetricsReported, t: float) -> None:
        for step, value in zip(event.steps, event.values, strict=True):
            self.trials.append(event.trial)
            self.attempts.append(event.attempt)
            self.steps.append(step)
            self.values.append(float(value))
            self.times.append(t)


@dataclass
class Story:
    """What a folder says.

    study_stopped  why a study-level stopper ended it; None if none did
    """

    url: str
    chronicle: Chronicle
    points: Points
    study_stopped: str | None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Story:
        """Read a folder, also while its experiment runs.

        Raises ExperimentDirError if it holds none, JournalError if its journal is damaged.
        """
        folder = ExperimentFolder.open(path)
        story = cls(folder.url, Chronicle(About.read(folder)), Points(), None)
        for record in read(folder):
            story.chronicle.add(record)
            match record.event:
                case ev.MetricsReported():
                    story.points.add(record.event, record.t)
                case ev.StudyStopped():
                    story.study_stopped = record.event.reason
        story.chronicle.close()
        return story

    def counting(self) -> Iterator[int]:
        """Places of those points that are in the curve of their trial, in order.

        What an attempt has reported is void from where a later one, or none, begins to report again.
        """
        points = self.points
        left = {number: len(trial.metric_history) for number, trial in self.chronicle.trials.items()}
        kept = []
        for place in range(len(points.trials) - 1, -1, -1):  # of equals, what came last counts
            trial = self.chronicle.trials[points.trials[place]]
            at = left[points.trials[place]] - 1
            if at >= 0 and trial.step_history[at] == points.steps[place]:
                value, its = trial.metric_history[at], points.values[place]
                if value == its or (value != value and its != its):
                    left[points.trials[place]] = at
                    kept.append(place)
        return reversed(kept)
