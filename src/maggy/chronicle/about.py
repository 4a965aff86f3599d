"""What is known of an experiment before anything has happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from maggy.errors import ExperimentDirError
from maggy.journal import ExperimentFolder
from maggy.trial import Objective


@dataclass(frozen=True)
class About:
    """An experiment as its experiment.json describes it.

    url         of its folder
    name        that its config gave it
    kind        class of the config, e.g. "HyperparameterOptConfig"
    objectives  what is optimised; the first one is the metric that trials report
    num_trials  how many trials there are at most
    space       the search space as JSON values; None where there is none, or it holds a function
    seed        that everything random is derived from
    engine      name of the engine
    started     seconds since the epoch
    raw         all that experiment.json says
    """

    url: str
    name: str
    kind: str
    description: str
    objectives: tuple[Objective, ...]
    num_trials: int
    space: Mapping[str, Any] | None
    seed: int
    engine: str
    started: float
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, url: str, raw: Mapping[str, Any]) -> About:
        """From the values of experiment.json."""
        config = raw["config"]
        space = config.get("searchspace")
        return cls(
            url=url,
            name=str(config.get("name") or "experiment"),
            kind=raw["kind"],
            description=str(config.get("description") or ""),
            objectives=_objectives(raw),
            num_trials=int(raw["num_trials"]),
            space=space if isinstance(space, Mapping) else None,
            seed=int(raw["seed"]),
            engine=raw["engine"],
            started=float(raw["started"]),
            raw=raw,
        )

    @classmethod
    def read(cls, folder: ExperimentFolder) -> About:
        """From an experiment's folder.

        Raises ExperimentDirError if it holds no experiment, or one that was killed before it began.
        """
        try:
            return cls.of(folder.url, msgspec.json.decode(folder.read("experiment.json")))
        except (msgspec.MsgspecError, FileNotFoundError, KeyError, TypeError, ValueError) as error:
            raise ExperimentDirError(
                f"{folder.url!r} holds an experiment that was killed before it began, or is damaged "
                f"(experiment.json: {type(error).__name__}: {error})"
            ) from error

    @property
    def is_search(self) -> bool:
        """Whether trials compare: in a search and in an ablation study, not in a single run."""
        return "direction" in self.raw["config"]


def _objectives(raw: Mapping[str, Any]) -> tuple[Objective, ...]:
    config = raw["config"]
    keys, directions = config.get("optimization_key", "Metric"), config.get("direction", "max")
    if isinstance(keys, str):
        keys, directions = [keys], [directions]
    return tuple(Objective(key, direction) for key, direction in zip(keys, directions, strict=True))
