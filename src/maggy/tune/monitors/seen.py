"""What charts keep of the reports that they have seen: plain values, without anything that draws."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import median

from maggy.tune.trial import TrialReport

Partition = tuple[str, ...]
"""The values of a trial's partition keys, as text."""


def partition_of(report: TrialReport) -> Partition:
    """The partition that a report is of."""
    return tuple(map(str, report.trial.keys))


class Bests:
    """The best report of each partition, and those that were the best before it.

    courses  of each partition, the reports that were the best when they came
    """

    def __init__(self) -> None:
        self.courses: dict[Partition, list[TrialReport]] = {}

    def add(self, report: TrialReport) -> bool:
        """Take in a report; whether it is the best of its partition so far."""
        course = self.courses.get(partition_of(report))
        if not isfinite(report.sort_metric) or (course and report.sort_metric >= course[-1].sort_metric):
            return False
        self.courses.setdefault(partition_of(report), []).append(report)
        return True

    @property
    def best(self) -> TrialReport | None:
        """The best of all."""
        return min((course[-1] for course in self.courses.values()), key=lambda each: each.sort_metric, default=None)


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of some partitions, as it stands.

    number   from 0
    began    how many candidates have begun it
    values   what each that has reported reached, by its id; smaller is better
    went_on  ids of those that have begun the next rung
    """

    number: int
    began: int
    values: dict[str, float]
    went_on: frozenset[str]

    @property
    def best(self) -> float:
        return min(filter(isfinite, self.values.values()), default=nan)

    @property
    def median(self) -> float:
        finite = [value for value in self.values.values() if isfinite(value)]
        return median(finite) if finite else nan


class Ladder:
    """Which candidates have come to which rung, and what they reached there.

    A candidate that runs a rung again, because its worker was lost, counts once, with what it reached last.
    """

    def __init__(self) -> None:
        self._began: dict[Partition, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._values: dict[Partition, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))

    def begins(self, partition: Partition, rung: int, trial_id: str) -> None:
        """A candidate begins a rung."""
        self._began[partition][rung].add(trial_id)

    def reports(self, partition: Partition, rung: int, trial_id: str, value: float) -> None:
        """A candidate has reported at the end of a rung."""
        self.begins(partition, rung, trial_id)
        self._values[partition][rung][trial_id] = value

    @property
    def partitions(self) -> Sequence[Partition]:
        """Those with a candidate, in order of their first."""
        return list(self._began)

    def rungs(self, partitions: Iterable[Partition]) -> list[Rung]:
        """The rungs of these partitions, taken together."""
        began: dict[int, set[str]] = defaultdict(set)
        values: dict[int, dict[str, float]] = defaultdict(dict)
        for partition in partitions:
            for number, ids in self._began[partition].items():
                began[number] |= ids
                values[number] |= self._values[partition][number]
        return [
            Rung(number, len(began[number]), values[number], frozenset(began.get(number + 1, ())))
            for number in range(max(began, default=-1) + 1)
        ]

    def paths(self, partition: Partition) -> list[list[tuple[int, float]]]:
        """What each candidate of a partition reached, rung after rung."""
        paths: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, values in sorted(self._values[partition].items()):
            for trial_id, value in values.items():
                paths[trial_id].append((number, value))
        return list(paths.values())


def named(partition: Partition) -> str:
    """A partition in a legend."""
    return ", ".join(partition) or "all"
